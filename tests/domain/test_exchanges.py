"""What an exchange takes of a refund."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal, RefusalCode
from domain.exchanges import RefundLeft, RefundNow, Sent, take_exchange
from domain.returns import MoneyTrack

AMOUNTS = st.decimals(0, 10_000, places=2)
LINES = st.lists(st.tuples(st.integers(1, 9), AMOUNTS), min_size=1, max_size=4)


def due(amount: Decimal | None, currency: str = "EUR") -> RefundNow:
    return RefundNow(MoneyTrack.DUE, amount, currency)


@given(AMOUNTS, LINES)
def test_what_is_left_and_what_was_taken_come_to_what_was_due(
    amount: Decimal, lines: list[tuple[int, Decimal]]
) -> None:
    worth = sum((units * price for units, price in lines), Decimal(0))
    if worth > amount:
        with pytest.raises(Refusal) as refused:
            take_exchange(due(amount), Sent(tuple(lines), "EUR"))
        assert refused.value.code is RefusalCode.OVER_EXCHANGE
        return
    left = take_exchange(due(amount), Sent(tuple(lines), "EUR"))
    assert left.amount is not None
    assert (left.taken, left.amount + left.taken) == (worth, amount)
    assert left.money is (MoneyTrack.DUE if left.amount else MoneyTrack.NONE)


def test_a_refund_that_nobody_has_named_is_left_as_it_is() -> None:
    sent = Sent(((1, None),), None)
    for money in (MoneyTrack.NONE, MoneyTrack.DUE):
        assert take_exchange(RefundNow(money, None, None), sent) == RefundLeft(money, None, Decimal(0))


@pytest.mark.parametrize(
    ("refund", "sent", "code", "path"),
    [
        (RefundNow(MoneyTrack.TOLD, Decimal(9), "EUR"), Sent(((1, Decimal(1)),), "EUR"), "WRONG_STATE", ("id",)),
        (RefundNow(MoneyTrack.CONFIRMED, None, None), Sent(((1, None),), None), "WRONG_STATE", ("id",)),
        (RefundNow(MoneyTrack.DUE, Decimal(9), "EUR", True), Sent(((1, None),), None), "WRONG_STATE", ("id",)),
        (due(Decimal(9)), Sent(((1, Decimal(1)), (1, None)), "EUR"), "INVALID_INPUT", ("lines", "1", "unitPrice")),
        (due(Decimal(9)), Sent(((1, Decimal(1)),), "USD"), "INVALID_INPUT", ("lines",)),
        (due(Decimal(9)), Sent(((2, Decimal(5)),), "EUR"), "OVER_EXCHANGE", ("lines",)),
    ],
)
def test_what_is_no_exchange(refund: RefundNow, sent: Sent, code: str, path: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        take_exchange(refund, sent)
    assert (refused.value.code.value, refused.value.path) == (code, path)
