"""Refunds: `refundCreate`, and what of it other mutations share.

refundCreate's refusals, in this order: no such order, a line it has not or not so much of, a payment that is not of
it, more than is left. A repeated key answers as before.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from adapters.sandbox.read_body import OrderError
from adapters.sandbox.shopify.change_order import announce, remove_units
from adapters.sandbox.shopify.context import Context, Info
from adapters.sandbox.shopify.ids import read_gid
from adapters.sandbox.shopify.inject_faults import FaultKind
from adapters.sandbox.shopify.list_payments import count_left, list_payments
from adapters.sandbox.shopify.record_refund import REFUNDS_MAX, put_back, record_refund
from adapters.sandbox.shopify.refunds import PLACES, Refund, RefundLine
from adapters.sandbox.shopify.require_key import read_key
from adapters.sandbox.shopify.state import (
    IDEMPOTENCY_KEYS_MAX,
    Line,
    Order,
    State,
    trim,
)


class RefundError(Exception):
    """Why it is refused; `field` is where in the input, `code` the vendor's word where it has one."""

    def __init__(self, message: str, *field: str, code: str = "INVALID") -> None:
        super().__init__(message)
        self.field, self.code = ["input", *field], code


def create_refund(source: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """Resolver of Mutation.refundCreate."""
    context, key = info.context, read_key(info)
    keys = context.state.refund_keys
    fingerprint = hashlib.sha256(orjson.dumps(input, option=orjson.OPT_SORT_KEYS)).hexdigest()
    try:
        if key in keys:
            return _payload(context.state, _find_again(keys[key], fingerprint))
        keys[key] = (fingerprint, None)
        trim(keys, IDEMPOTENCY_KEYS_MAX)
        refund = _refund(context, input)
        keys[key] = (fingerprint, refund)
    except RefundError as error:
        return {"order": None, "refund": None, "userErrors": [{"field": error.field, "message": str(error)}]}
    if context.faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return {"order": None, "refund": None, "userErrors": [{"field": None, "message": "Something went wrong."}]}
    return _payload(context.state, refund)


def _payload(state: State, refund: Refund) -> dict[str, Any]:
    return {"order": state.orders[refund.order], "refund": refund, "userErrors": []}


def _find_again(known: tuple[str, Refund | None], fingerprint: str) -> Refund:
    if known[0] != fingerprint:
        raise RefundError("The same idempotency key cannot be used with different operation parameters.")
    if known[1] is None:
        raise RefundError("A previous request with this idempotency key failed. Retry with a new idempotency key.")
    return known[1]


def _refund(context: Context, wanted: dict[str, Any]) -> Refund:
    order = context.state.orders.get(read_gid("Order", wanted["orderId"]) or 0)
    if order is None:
        raise RefundError("Order does not exist", "orderId")
    if wanted.get("currency") not in (None, context.state.config.currency):
        raise RefundError("Currency must be the presentment currency of the order", "currency")
    lines = [_read_line(order, place, raw) for place, raw in enumerate(wanted.get("refundLineItems") or ())]
    amounts = [_read_payment(order, place, raw) for place, raw in enumerate(wanted.get("transactions") or ())]
    amount = sum(amounts, Decimal(0))
    if amount > count_left(order) and not wanted.get("allowOverRefunding"):
        raise RefundError("Refund amount cannot be more than the amount available for refund", "transactions")
    if len(order.refunds) >= REFUNDS_MAX:
        raise RefundError(f"The sandbox store keeps {REFUNDS_MAX} refunds of an order")
    if not lines and not amounts:
        raise RefundError("Refund must have line items or transactions")
    return write_refund(context, order, lines, amount, wanted.get("note"), None)


def _read_line(order: Order, place: int, raw: dict[str, Any]) -> tuple[Line, int, str]:
    field = ("refundLineItems", str(place))
    line = next((one for one in order.lines if one.index == read_gid("LineItem", raw["lineItemId"])), None)
    kind = raw.get("restockType") or "NO_RESTOCK"
    if line is None:
        raise RefundError("Line item does not exist", *field, "lineItemId")
    if not 0 < raw["quantity"] <= line.current:
        raise RefundError("Refund quantity cannot be more than what is refundable", *field, "quantity")
    if kind == "RETURN" and not raw.get("locationId"):
        raise RefundError("Location is required to restock", *field, "locationId")
    if kind == "CANCEL" and raw["quantity"] > line.unshipped:
        raise RefundError("Only unfulfilled line items can be canceled", *field, "restockType")
    return line, raw["quantity"], kind.lower()


def _read_payment(order: Order, place: int, raw: dict[str, Any]) -> Decimal:
    field = ("transactions", str(place))
    sale = list_payments(order)[0]
    parent = read_gid("OrderTransaction", raw.get("parentId") or "")
    if raw["kind"] != "REFUND" or read_gid("Order", raw["orderId"]) != order.index:
        raise RefundError("Transaction must be a refund of the order", *field, "kind")
    if parent != sale.index or sale.status != "SUCCESS":
        raise RefundError("Parent transaction does not exist", *field, "parentId")
    return read_amount(raw["amount"], *field, "amount")


def read_amount(raw: Any, *field: str) -> Decimal:
    try:
        amount = Decimal(str(raw))
    except InvalidOperation:
        raise RefundError("Amount is not a number", *field) from None
    if not amount.is_finite() or amount <= 0:
        raise RefundError("Amount must be more than 0", *field)
    return amount


def write_refund(
    context: Context,
    order: Order,
    lines: list[tuple[Line, int, str]],
    amount: Decimal,
    note: str | None,
    of_return: int | None,
) -> Refund:
    """Of units that are not restocked the fulfilment orders keep what they have; `cancel` takes from them."""
    state, anyway = context.state, bool(context.faults.strike(FaultKind.RESTOCK_ANYWAY))
    written = []
    for line, units, asked in lines:
        kind = "return" if anyway and asked == "no_restock" and units <= line.shipped else asked
        if kind == "cancel":
            remove_units(state, order, line, units, restock=True)
        else:
            line.removed += units
            line.returned += min(units, line.shipped - line.returned)
            if kind == "return":
                put_back(state, order, next(iter(state.locations)), line, units, committed=0, restock=True)
        written.append(RefundLine(line.index, units, kind))
    status = "PENDING" if context.faults.strike(FaultKind.REFUND_PENDING) else "SUCCESS"
    status = "FAILURE" if context.faults.strike(FaultKind.REFUND_FAILED) else status
    refund = record_refund(state, order, written, f"{amount:.2f}", note=note, status=status, of_return=of_return)
    announce(state, order)
    return refund


def settle_refunds(state: State, order: Order) -> None:
    """Payments that were pending are through. Raises OrderError 409 when there is none."""
    pending = [refund for refund in order.refunds if refund.status == "PENDING"]
    if not pending:
        raise OrderError(409, "NOT_PENDING", f"no refund of {order.name} is pending")
    for refund in pending:
        refund.status = "SUCCESS"
    announce(state, order)


def find_refund(state: State, gid: str) -> Refund | None:
    index = read_gid("Refund", gid) or 0
    order = state.orders.get(index // PLACES)
    return next((known for known in order.refunds if known.index == index), None) if order else None
