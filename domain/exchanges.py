"""An exchange: an order is sent instead of what comes back, and a refund that is due is less by what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from domain.errors import Refusal, RefusalCode
from domain.returns import MoneyTrack

PAID = frozenset({MoneyTrack.TOLD, MoneyTrack.CONFIRMED})


@dataclass(frozen=True, slots=True)
class RefundNow:
    """Of a return. `amount` None: nobody has said how much. `telling`: its channel is being told, or has been."""

    money: MoneyTrack
    amount: Decimal | None
    currency: str | None
    telling: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent instead. `prices`: of each line, units and what each of them takes of a refund, None: not known.

    `currency` of all prices, None without any.
    """

    prices: tuple[tuple[int, Decimal | None], ...]
    currency: str | None

    @property
    def worth(self) -> Decimal | None:
        """None when that is not known of all."""
        known = [units * price for units, price in self.prices if price is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.prices) else None


class RefundLeft(NamedTuple):
    """`amount` None: nobody has said how much. `taken`: what the exchange took of it."""

    money: MoneyTrack
    amount: Decimal | None
    taken: Decimal


def take_exchange(refund: RefundNow, sent: Sent) -> RefundLeft:
    """What is left of a refund that is due: nothing is due any more when the exchange takes all of it.

    Raises `Refusal` WRONG_STATE (the money has gone out, or is about to), INVALID_INPUT (a price is missing, or in
    another currency), OVER_EXCHANGE (more is sent than is due).
    """
    if refund.telling or refund.money in PAID:
        message = "Its refund is paid, or the channel is being told to: an exchange besides would be given away."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    if refund.money is not MoneyTrack.DUE or refund.amount is None:
        return RefundLeft(refund.money, refund.amount, Decimal(0))
    for place, (_, price) in enumerate(sent.prices):
        if price is None:
            message = "Say what a unit of it takes of the refund: the order does not say what it costs."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("lines", str(place), "unitPrice"))
    if sent.currency != refund.currency:
        message = f"The refund is due in {refund.currency}: say prices in it, not in {sent.currency}."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("lines",))
    worth = sent.worth or Decimal(0)
    left = refund.amount - worth
    if left < 0:
        message = (
            f"{refund.amount} {refund.currency} are due, and {worth} are sent: the customer pays the rest "
            "elsewhere first, or it is a gift. Then give unit prices that come to what is due."
        )
        raise Refusal(RefusalCode.OVER_EXCHANGE, message, ("lines",))
    return RefundLeft(MoneyTrack.DUE if left else MoneyTrack.NONE, left, worth)
