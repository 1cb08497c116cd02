"""What the store shows of an order's money: its payments, what of them can still go back, and every refund."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.returns import Refund
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.read_order import read_time
from domain.errors import CauseClass

PAGE_MAX = 20
"""Payments, and refunds, of one order. One that has more is for people to pay."""
LINES_MAX = 100
"""Of a return; those after them stay unprocessed in the store."""
READ_COST = 1 + PAGE_MAX * 4 + PAGE_MAX * (4 + 2 + 10)
CLOCK_SECONDS = 60.0
"""Between the store's clock, which tells whole seconds, and ours."""
FAILED = frozenset({"FAILURE", "ERROR"})
PAYING = frozenset({"SALE", "CAPTURE"})
MARK = "onhand:"
_READ = """
query ReadRefunds($id: ID!, $first: Int!) {
  order(id: $id) {
    presentmentCurrencyCode
    transactions(first: $first) {
      id kind status gateway
      amountSet { presentmentMoney { amount } }
      parentTransaction { id }
    }
    refunds(first: $first) {
      id note createdAt
      return { id }
      totalRefundedSet { presentmentMoney { amount } }
      transactions(first: 10) { nodes { kind status } }
    }
  }
}
"""
_LEFT = "query ReadRefundable($ids: [ID!]!) { nodes(ids: $ids) { id ... on LineItem { refundableQuantity } } }"
_RETURN = """
query ReadReturn($id: ID!, $first: Int!) {
  return(id: $id) {
    status
    returnLineItems(first: $first) {
      nodes { id processableQuantity ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } } }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Payment:
    """`left`: what of it can still go back."""

    id: str
    gateway: str
    left: Decimal


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """In the currency that the buyer paid in. `whole` False: the store has more of it than was read."""

    currency: str
    payments: tuple[Payment, ...]
    refunds: tuple[Mapping[str, Any], ...]
    whole: bool


async def read_money(client: ShopifyClient, order_id: str) -> OrderMoney | None:
    """None when the store does not know the order. Raises `Fault`."""
    order = (await client.call(_READ, {"id": order_id, "first": PAGE_MAX}, cost=READ_COST))["order"]
    if order is None:
        return None
    moved = [one for one in order["transactions"] if one["status"] not in FAILED]
    payments = tuple(
        Payment(one["id"], one["gateway"] or "manual", _amount(one) - _sum_back(moved, one["id"]))
        for one in moved
        if one["kind"] in PAYING and one["status"] == "SUCCESS"
    )
    whole = max(len(order["transactions"]), len(order["refunds"])) < PAGE_MAX
    return OrderMoney(order["presentmentCurrencyCode"], payments, tuple(order["refunds"]), whole)


def _amount(transaction: Mapping[str, Any]) -> Decimal:
    return Decimal(transaction["amountSet"]["presentmentMoney"]["amount"])


def _sum_back(moved: Sequence[Mapping[str, Any]], payment: str) -> Decimal:
    back = (one for one in moved if one["kind"] == "REFUND" and (one["parentTransaction"] or {}).get("id") == payment)
    return sum((_amount(one) for one in back), Decimal(0))


def find_refund(money: OrderMoney, refund: Refund) -> WriteResult | None:
    """What the store says of this refund; None when it has none that could be it."""
    for found in money.refunds:
        if refund.receipt is not None and found["id"] == refund.receipt:
            return _read_result(found)
    for found in money.refunds:
        if write_mark(refund) in (found["note"] or ""):
            return _read_result(found)
    for found in money.refunds:
        if MARK not in (found["note"] or "") and found["id"] not in refund.others and _could_be(found, refund):
            result = _read_result(found)
            if result.outcome is not WriteOutcome.REFUSED:
                return result
    return None


def _read_result(found: Mapping[str, Any]) -> WriteResult:
    statuses = {one["status"] for one in found["transactions"]["nodes"] if one["kind"] == "REFUND"}
    if statuses == {"SUCCESS"}:
        return WriteResult(WriteOutcome.OK, receipt=found["id"])
    if not statuses & FAILED:
        return WriteResult(WriteOutcome.ACCEPTED, receipt=found["id"])
    message = "The store has recorded the refund, and its payment failed: pay it there."
    return WriteResult(WriteOutcome.REFUSED, message, CauseClass.POLICY, found["id"])


def write_mark(refund: Refund) -> str:
    """What the note of a refund holds, so that it is known again."""
    return f"{MARK}{refund.key}"


def _could_be(found: Mapping[str, Any], refund: Refund) -> bool:
    """Of the store's own return, or of nobody's, as much, and not before we tried."""
    of = (found["return"] or {}).get("id")
    since = refund.since - datetime.timedelta(seconds=CLOCK_SECONDS)
    amount = Decimal(found["totalRefundedSet"]["presentmentMoney"]["amount"])
    made = found["createdAt"]
    return (
        of in (None, refund.return_external_id) and amount == refund.amount and bool(made) and read_time(made) >= since
    )


async def read_refundable(client: ShopifyClient, lines: Sequence[str]) -> dict[str, int]:
    """Units of each order line that the store can still refund. Raises `Fault`."""
    nodes = (await client.call(_LEFT, {"ids": list(lines)}, cost=len(lines)))["nodes"] if lines else []
    return {node["id"]: node.get("refundableQuantity", 0) for node in nodes if node is not None}


async def read_processable(client: ShopifyClient, return_id: str) -> list[tuple[str, str, int]]:
    """(the return's line, the order's line, units that are not processed) of a return that is open there.

    Empty for one that is not, and for what is no return of the store's. Raises `Fault`.
    """
    if not return_id.startswith("gid://shopify/Return/"):
        return []
    given = {"id": return_id, "first": LINES_MAX}
    found = (await client.call(_RETURN, given, cost=3 + 3 * LINES_MAX))["return"]
    if found is None or found["status"] != "OPEN":
        return []
    nodes = [node for node in found["returnLineItems"]["nodes"] if "fulfillmentLineItem" in node]
    lines = [(node["id"], node["fulfillmentLineItem"]["lineItem"]["id"], node["processableQuantity"]) for node in nodes]
    return [line for line in lines if line[2] > 0]
