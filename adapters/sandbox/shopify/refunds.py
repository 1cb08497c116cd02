"""What of an order came back: returns that are awaited, and refunds that were made."""

from __future__ import annotations

from dataclasses import dataclass, field

PLACES = 100
"""Of returns, refunds and payments within an order: their numbers are made of the order's."""
LINE_PLACES = 100


@dataclass(slots=True)
class RefundLine:
    """`restock_type`: the vendor's word, in lower case."""

    line: int
    quantity: int
    restock_type: str


@dataclass(slots=True)
class Refund:
    """`amount`: what its payment moves, in the store's currency; `status`: of that payment."""

    index: int
    order: int
    lines: list[RefundLine]
    amount: str
    created_at: float
    note: str | None = None
    status: str = "SUCCESS"
    of_return: int | None = None


@dataclass(slots=True)
class ReturnedLine:
    index: int
    line: int
    quantity: int
    processed: int = 0


@dataclass(slots=True)
class ExchangeLine:
    """Units to be sent instead. `lines`: of the same order, one for each time that some of them were processed."""

    index: int
    sku: str
    item: int
    quantity: int
    processed: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Return:
    """`exchanges`: what is to be sent instead, as lines of the same order."""

    index: int
    order: int
    lines: list[ReturnedLine]
    created_at: float
    status: str = "OPEN"
    exchanges: list[ExchangeLine] = field(default_factory=list)
