"""Sell Fulfillment API v1: issueRefund. It knows no key: told twice, it pays twice, as long as something is left.

Refusals, in the order of their checks: no such order (34913), unpaid (34929), no reason (34903), no amount (34905), a
bad one (34907), another currency (34909), an unknown line (34914), one before it that is not through (34922), more
than is left (34915).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.sandbox.ebay.change_order import refund_order
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.refuse import ApiError
from adapters.sandbox.ebay.serve_api import Answer, Call
from adapters.sandbox.ebay.state import Order, Refund, State

REASONS = frozenset({
    "BUYER_CANCEL", "SELLER_CANCEL", "ITEM_NOT_RECEIVED", "BUYER_RETURN", "ITEM_NOT_AS_DESCRIBED",
    "OTHER_ADJUSTMENT", "SHIPPING_DISCOUNT",
})  # fmt: skip
COMMENT_LENGTH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Refunds:
    state: State
    faults: Faults

    def issue(self, call: Call) -> Answer:
        if not self.state.config.may_refund:
            raise ApiError(403, 1100, "Access denied. Insufficient permissions to fulfill the request.")
        order = self.state.orders.get(call.path["order_id"])
        if order is None:
            raise ApiError(404, 34913, "Can not find the order.")
        if not order.paid:
            raise ApiError(
                409, 34929, "You cannot refund this order yet since the buyer payment has not been processed."
            )
        refund = self._read(order, call.body if isinstance(call.body, dict) else {})
        if any(known.status == "PENDING" for known in order.refunds):
            raise ApiError(400, 34922, "Refund cannot be issued while previous refund is processing.")
        taken = sum((Decimal(known.amount) for known in order.refunds if known.status != "FAILED"), Decimal(0))
        if taken + Decimal(refund.amount) > Decimal(order.total):
            raise ApiError(400, 34915, "The refund amount exceeds order amount.")
        refund_order(self.state, order, refund, fails=bool(self.faults.strike(FaultKind.REFUND_FAILED)))
        return Answer({"refundId": refund.refund_id, "refundStatus": "PENDING"})

    def _read(self, order: Order, wanted: dict[str, Any]) -> Refund:
        if wanted.get("reasonForRefund") not in REASONS:
            raise ApiError(400, 34903, "The refund reason must be specified.")
        if len(str(wanted.get("comment") or "")) > COMMENT_LENGTH_MAX:
            raise ApiError(400, 34921, "The comment exceeds the length limit.")
        items, whole = wanted.get("refundItems") or [], wanted.get("orderLevelRefundAmount")
        if not items and whole is None:
            raise ApiError(400, 34905, "Either orderLevelRefundAmount or refundItems must be specified.")
        lines = [self._read_item(order, entry) for entry in items]
        total = sum((Decimal(amount) for _, amount in lines), Decimal(0)) if lines else self._read_money(whole)
        refund_id = str(5_000_000_000 + self.state.next_index("Refund"))
        return Refund(refund_id, f"{total:.2f}", lines)

    def _read_item(self, order: Order, entry: Any) -> list[str]:
        line_id = entry.get("lineItemId") if isinstance(entry, dict) else None
        amount = self._read_money(entry.get("refundAmount") if isinstance(entry, dict) else None)
        if line_id not in {line.line_item_id for line in order.lines}:
            raise ApiError(400, 34914, "Can't find the item in the order.")
        return [str(line_id), f"{amount:.2f}"]

    def _read_money(self, raw: Any) -> Decimal:
        money = raw if isinstance(raw, dict) else {}
        try:
            amount = Decimal(str(money.get("value")))
        except InvalidOperation:
            raise ApiError(400, 34906, "The amount value must be specified.") from None
        if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
            raise ApiError(400, 34907, "The amount value must be positive and within two decimals.")
        if money.get("currency") != self.state.config.currency:
            raise ApiError(400, 34909, "The amount currency isn't correct.")
        return amount
