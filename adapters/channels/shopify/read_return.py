"""What a store says of returns: `refunds/create` what of one is paid back, and the API what one is by now, whenever an
event names it: what is sent instead is named there once it is a line of the order.

`restock_type` of a refunded line: "cancel" was never shipped and is the order's business; "return" is a return whose
units the store has added to its own count; "no_restock" may be either, so it counts only when the refund names a
return. Neither event says that anything has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapters.channels.news import ReturnNotice
from adapters.channels.shopify.client import ShopifyClient

RESTOCKED = frozenset({"return", "legacy_restock"})
FAILED = frozenset({"failure", "error"})
ENDED = frozenset({"CANCELED", "DECLINED"})
LINES_MAX = 50
"""Of a return, and of what is sent instead; those after them are not read."""
READ_COST = 2 + (2 + 3 * LINES_MAX) + (2 + 3 * LINES_MAX)
_READ = """
query ReadReturnNotice($id: ID!, $first: Int!) {
  return(id: $id) {
    id status order { id }
    returnLineItems(first: $first) {
      nodes { id quantity ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } } }
    }
    exchangeLineItems(first: $first) { nodes { id lineItems { id } } }
  }
}
"""


def _say_exchange(lines: int) -> str | None:
    return f"{lines} lines of the same order, added by the store" if lines else None


async def read_return(client: ShopifyClient, return_id: str) -> ReturnNotice | None:
    """None for one that is only asked for, and for one that the store does not know. Raises `Fault`."""
    found = (await client.call(_READ, {"id": return_id, "first": LINES_MAX}, cost=READ_COST))["return"]
    if found is None or found["status"] == "REQUESTED":
        return None
    lines = [
        (node["fulfillmentLineItem"]["lineItem"]["id"], node["quantity"])
        for node in found["returnLineItems"]["nodes"]
        if "fulfillmentLineItem" in node
    ]
    exchanged = found["exchangeLineItems"]["nodes"]
    return ReturnNotice(
        *(found["id"], found["order"]["id"], tuple(lines)),
        cancelled=found["status"] in ENDED,
        exchange=_say_exchange(len(exchanged)),
        exchange_lines=tuple(line["id"] for node in exchanged for line in node["lineItems"] or ()),
    )


def read_refunded_return(raw: dict[str, Any]) -> ReturnNotice | None:
    """None when nothing of the refund is a return, and it pays none. Raises KeyError, TypeError, ValueError,
    ArithmeticError.
    """
    named = raw.get("return") or {}
    refund_id, order_id = raw["admin_graphql_api_id"], f"gid://shopify/Order/{int(raw['order_id'])}"
    refunded = [line for line in raw["refund_line_items"] if _is_return(line, bool(named))]
    moved = _read_payments(raw)
    if not refunded:
        cancelled = any(line["restock_type"] == "cancel" for line in raw["refund_line_items"])
        return None if cancelled or moved is None else _read_money(raw, refund_id, order_id, moved)
    return ReturnNotice(
        named.get("admin_graphql_api_id") or refund_id,
        order_id,
        tuple((_line_gid(line), int(line["quantity"])) for line in refunded),
        restocked=any(line["restock_type"] in RESTOCKED for line in refunded),
        refund=_add_up(refunded),
        refunded=any(_paid(raw)),
        reason=raw.get("note") or None,
        refund_id=refund_id,
    )


def _read_money(raw: dict[str, Any], refund_id: str, order_id: str, moved: tuple[Decimal, str]) -> ReturnNotice:
    """Money alone: ours, which restocks nothing, or one that the merchant made for a return that waits for it."""
    return ReturnNotice(
        refund_id, order_id, refund=moved, refunded=any(_paid(raw)), announces=False, refund_id=refund_id
    )


def _read_payments(raw: dict[str, Any]) -> tuple[Decimal, str] | None:
    """What its payments give back, those that failed left out; None when that is nothing, or in no currency."""
    back = [
        one
        for one in raw.get("transactions") or ()
        if one.get("kind") == "refund" and one.get("status") not in FAILED and one.get("currency")
    ]
    return (sum((Decimal(one["amount"]) for one in back), Decimal(0)), back[0]["currency"]) if back else None


def _is_return(line: dict[str, Any], named: bool) -> bool:
    kind = line["restock_type"]
    return kind in RESTOCKED or (named and kind != "cancel")


def _line_gid(line: dict[str, Any]) -> str:
    found = (line.get("line_item") or {}).get("admin_graphql_api_id")
    return str(found or f"gid://shopify/LineItem/{int(line['line_item_id'])}")


def _add_up(refunded: list[dict[str, Any]]) -> tuple[Decimal, str]:
    money = [line["subtotal_set"]["shop_money"] for line in refunded]
    taxes = [line["total_tax_set"]["shop_money"] for line in refunded if line.get("total_tax_set")]
    return sum((Decimal(one["amount"]) for one in (*money, *taxes)), Decimal(0)), money[0]["currency_code"]


def _paid(raw: dict[str, Any]) -> Iterator[bool]:
    """A refund is made whether or not money moved: its transactions say."""
    for transaction in raw.get("transactions") or ():
        yield transaction.get("kind") == "refund" and transaction.get("status") == "success"
