"""What an order and its lines can be, and what each state may become.

An order's status follows from its lines; payment and holds stand beside it. A unit of a line is backordered, promised
from a warehouse (allocated), shipped or cancelled, and never two of them:

    quantity = backordered + allocated + shipped + cancelled
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from domain.errors import Refusal, RefusalCode


class OrderStatus(StrEnum):
    """`BACKORDERED`: nothing that it still wants is promised. `PARTLY_SHIPPED`: more is to be shipped."""

    BACKORDERED = "BACKORDERED"
    PARTLY_ALLOCATED = "PARTLY_ALLOCATED"
    ALLOCATED = "ALLOCATED"
    PARTLY_SHIPPED = "PARTLY_SHIPPED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class Payment(StrEnum):
    """`PENDING`: stock is held for it, nothing is released to a warehouse.

    `REFUNDED`: the buyer has all of it back, for good. What was not shipped by then is cancelled.
    """

    PENDING = "PENDING"
    PAID = "PAID"
    REFUNDED = "REFUNDED"


class LineStatus(StrEnum):
    BACKORDERED = "BACKORDERED"
    PARTLY_ALLOCATED = "PARTLY_ALLOCATED"
    ALLOCATED = "ALLOCATED"
    PARTLY_SHIPPED = "PARTLY_SHIPPED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class LineCounts(NamedTuple):
    """Units of one line. `quantity`: all that was ever ordered of it."""

    quantity: int
    allocated: int = 0
    shipped: int = 0
    cancelled: int = 0

    @property
    def backordered(self) -> int:
        return self.quantity - self.allocated - self.shipped - self.cancelled


_UNSHIPPED = frozenset({OrderStatus.BACKORDERED, OrderStatus.PARTLY_ALLOCATED, OrderStatus.ALLOCATED})
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    **dict.fromkeys(_UNSHIPPED, _UNSHIPPED | {OrderStatus.PARTLY_SHIPPED, OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.PARTLY_SHIPPED: frozenset({OrderStatus.PARTLY_SHIPPED, OrderStatus.SHIPPED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.SHIPPED, OrderStatus.PARTLY_SHIPPED}),
    OrderStatus.CANCELLED: frozenset({OrderStatus.CANCELLED}),
}
"""SHIPPED goes back to PARTLY_SHIPPED when a channel adds units to it. What is cancelled stays so."""
PAYMENTS: dict[Payment, frozenset[Payment]] = {
    Payment.PENDING: frozenset(Payment),
    Payment.PAID: frozenset({Payment.PAID, Payment.REFUNDED}),
    Payment.REFUNDED: frozenset({Payment.REFUNDED}),
}
"""A late word of an unpaid order does not undo its payment."""


_OPEN = frozenset({LineStatus.BACKORDERED, LineStatus.PARTLY_ALLOCATED, LineStatus.ALLOCATED})
LINE_TRANSITIONS: dict[LineStatus, frozenset[LineStatus]] = {
    **dict.fromkeys(_OPEN, frozenset(LineStatus)),
    LineStatus.PARTLY_SHIPPED: frozenset({LineStatus.PARTLY_SHIPPED, LineStatus.SHIPPED}),
    LineStatus.SHIPPED: frozenset({LineStatus.SHIPPED, LineStatus.PARTLY_SHIPPED}),
    LineStatus.CANCELLED: _OPEN | {LineStatus.CANCELLED},
}
"""As an order's, but that a channel may want units again of a line that it had cancelled, while the order goes on."""


def line_status(counts: LineCounts) -> LineStatus:
    """What one line has come to."""
    return LineStatus(order_status([counts]).value)


def order_status(lines: Iterable[LineCounts]) -> OrderStatus:
    """What the order has come to. An order without units is CANCELLED."""
    quantity, allocated, shipped, cancelled = (sum(column) for column in zip(*(tuple(x) for x in lines), strict=True))
    if shipped:
        return OrderStatus.SHIPPED if shipped + cancelled == quantity else OrderStatus.PARTLY_SHIPPED
    if cancelled == quantity:
        return OrderStatus.CANCELLED
    if not allocated:
        return OrderStatus.BACKORDERED
    return OrderStatus.ALLOCATED if allocated + cancelled == quantity else OrderStatus.PARTLY_ALLOCATED


def check_line_change(now: LineCounts, then: LineCounts) -> None:
    """Raises `Refusal` WRONG_STATE."""
    before, after = line_status(now), line_status(then)
    if after not in LINE_TRANSITIONS[before]:
        raise Refusal(RefusalCode.WRONG_STATE, f"A line that is {before} cannot become {after}.")


def check_order_change(now: OrderStatus, then: OrderStatus) -> None:
    """Raises `Refusal` WRONG_STATE."""
    if then not in TRANSITIONS[now]:
        raise Refusal(RefusalCode.WRONG_STATE, f"An order that is {now} cannot become {then}.")
