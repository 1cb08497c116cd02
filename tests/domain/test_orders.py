"""The states of orders, lines and fulfilment orders."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal, RefusalCode
from domain.fulfillment import ALLOWED, ENDED, FulfillmentAction, FulfillmentStatus, check_action
from domain.orders import LineCounts, OrderStatus, check_order_change, line_status, order_status


@st.composite
def counts(draw: st.DrawFn) -> LineCounts:
    parts = [draw(st.integers(0, 9)) for _ in range(4)]
    return LineCounts(max(1, sum(parts)), *parts[1:])


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([LineCounts(3)], OrderStatus.BACKORDERED),
        ([LineCounts(3, allocated=1)], OrderStatus.PARTLY_ALLOCATED),
        ([LineCounts(3, allocated=3), LineCounts(1)], OrderStatus.PARTLY_ALLOCATED),
        ([LineCounts(3, allocated=2, cancelled=1)], OrderStatus.ALLOCATED),
        ([LineCounts(3, shipped=1)], OrderStatus.PARTLY_SHIPPED),
        ([LineCounts(3, shipped=2, cancelled=1)], OrderStatus.SHIPPED),
        ([LineCounts(3, cancelled=3)], OrderStatus.CANCELLED),
    ],
)
def test_status_follows_from_the_lines(lines: list[LineCounts], status: OrderStatus) -> None:
    assert order_status(lines) == status


@given(st.lists(counts(), min_size=1, max_size=5))
def test_every_order_has_one_status(lines: list[LineCounts]) -> None:
    status = order_status(lines)
    wanted = sum(line.backordered + line.allocated for line in lines)
    assert (status in (OrderStatus.SHIPPED, OrderStatus.CANCELLED)) == (wanted == 0)
    assert len(lines) > 1 or line_status(lines[0]).value == status.value


@given(counts(), st.integers(0, 3))
def test_what_happens_to_units_is_a_legal_change(line: LineCounts, kind: int) -> None:
    """Promising, shipping, giving up a promise, and cancelling one unit."""
    changes = [(1, 0, 0), (-1, 1, 0), (-1, 0, 0), (0, 0, 1)]
    allocated, shipped, cancelled = changes[kind]
    if (line.backordered if kind in (0, 3) else line.allocated) < 1:
        return
    then = LineCounts(line.quantity, line.allocated + allocated, line.shipped + shipped, line.cancelled + cancelled)
    check_order_change(order_status([line]), order_status([then]))


def test_what_is_cancelled_stays_so() -> None:
    for status in set(OrderStatus) - {OrderStatus.CANCELLED}:
        with pytest.raises(Refusal) as refused:
            check_order_change(OrderStatus.CANCELLED, status)
        assert refused.value.code == RefusalCode.WRONG_STATE


def test_nothing_is_done_to_fulfilment_orders_that_have_ended() -> None:
    for status, action in itertools.product(ENDED, FulfillmentAction):
        with pytest.raises(Refusal):
            check_action(status, action, held=False)


def test_a_held_one_is_let_go_first() -> None:
    check_action(FulfillmentStatus.ACCEPTED, FulfillmentAction.SHIP, held=False)
    for action in FulfillmentAction:
        status = next(iter(ALLOWED[action]))
        if action in {
            *(FulfillmentAction.HOLD, FulfillmentAction.UNHOLD),
            *(FulfillmentAction.CANCEL, FulfillmentAction.REJECT),
        }:
            check_action(status, action, held=True)
            continue
        with pytest.raises(Refusal, match="held"):
            check_action(status, action, held=True)
