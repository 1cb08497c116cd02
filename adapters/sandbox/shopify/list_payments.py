"""The payments of an order: one sale of all of it, and what each refund gave back of that."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from adapters.sandbox.shopify.refunds import PLACES
from adapters.sandbox.shopify.state import Order

PAID = ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")


@dataclass(frozen=True, slots=True)
class Payment:
    """`kind` SALE, or REFUND of the sale; `parent`: the index of the sale."""

    index: int
    order: Order
    kind: str
    status: str
    amount: str
    created_at: float
    parent: int | None = None


def list_payments(order: Order) -> list[Payment]:
    sale = order.index * PLACES
    status = "SUCCESS" if order.financial_status in PAID else "PENDING"
    made = [Payment(sale, order, "SALE", status, order.total, order.created_at)]
    return made + [list_of_refund(order, place) for place in range(len(order.refunds))]


def list_of_refund(order: Order, place: int) -> Payment:
    refund, sale = order.refunds[place], order.index * PLACES
    return Payment(sale + 1 + place, order, "REFUND", refund.status, refund.amount, refund.created_at, sale)


def count_left(order: Order) -> Decimal:
    """What of the sale can still go back."""
    sale, *back = list_payments(order)
    if sale.status != "SUCCESS":
        return Decimal(0)
    return Decimal(sale.amount) - sum((Decimal(one.amount) for one in back if one.status != "FAILURE"), Decimal(0))
