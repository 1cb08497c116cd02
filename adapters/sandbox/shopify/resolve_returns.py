"""Fields of returns, refunds and payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.shopify.context import Info, resolve_by_id, state_of
from adapters.sandbox.shopify.ids import number_of, write_gid
from adapters.sandbox.shopify.issue_refunds import create_refund
from adapters.sandbox.shopify.list_payments import Payment, list_of_refund, list_payments
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.process_returns import find_return, process_return
from adapters.sandbox.shopify.refunds import PLACES, ExchangeLine, Refund, RefundLine, Return, ReturnedLine
from adapters.sandbox.shopify.render_event import GATEWAY
from adapters.sandbox.shopify.resolve_fulfillment import ShippedLine
from adapters.sandbox.shopify.resolve_orders import show_money
from adapters.sandbox.shopify.state import Line, Order, write_time


@dataclass(frozen=True, slots=True)
class Refunded:
    line: Line
    entry: RefundLine


@dataclass(frozen=True, slots=True)
class Returned:
    order: Order
    entry: ReturnedLine


def _order_of(source: Refund | Return, info: Info) -> Order:
    return state_of(info).orders[source.order]


def _list_refunded(refund: Refund, info: Info, **args: Any) -> dict[str, Any]:
    order = _order_of(refund, info)
    lines = [Refunded(order.find_line(entry.line), entry) for entry in refund.lines]
    return build_connection(lines, lambda one: [one.line.index, one.entry.restock_type], args)


def _list_back(refund: Refund, info: Info, **args: Any) -> dict[str, Any]:
    order = _order_of(refund, info)
    return build_connection([list_of_refund(order, order.refunds.index(refund))], lambda one: [one.index], args)


def _show_return(refund: Refund, info: Info) -> Return | None:
    known = _order_of(refund, info).returns
    return next((one for one in known if one.index == refund.of_return), None)


@dataclass(frozen=True, slots=True)
class Exchanged:
    order: Order
    entry: ExchangeLine


def _list_exchanged(known: Return, info: Info, **args: Any) -> dict[str, Any]:
    for name in ("processingStatus", "includeRemovedItems"):
        args.pop(name, None)
    lines = [Exchanged(_order_of(known, info), entry) for entry in known.exchanges]
    return build_connection(lines, lambda one: [one.entry.index], args)


def _list_returned(known: Return, info: Info, **args: Any) -> dict[str, Any]:
    args.pop("processingStatus", None)
    lines = [Returned(_order_of(known, info), entry) for entry in known.lines]
    return build_connection(lines, lambda one: [one.entry.index], args)


def _show_shipped(source: Returned, info: Info) -> ShippedLine:
    parcels = (parcel for parcel in source.order.parcels for entry in parcel.lines if entry.line == source.entry.line)
    entry = next(entry for parcel in parcels for entry in parcel.lines if entry.line == source.entry.line)
    return ShippedLine(source.order.find_line(entry.line), entry)


REFUND_RESOLVERS: dict[str, Any] = {
    "id": lambda refund, info: write_gid("Refund", refund.index),
    "legacyResourceId": lambda refund, info: str(number_of("Refund", refund.index)),
    "createdAt": lambda refund, info: write_time(refund.created_at),
    "order": _order_of,
    "processedAt": lambda refund, info: write_time(refund.created_at),
    "refundLineItems": _list_refunded,
    "return": _show_return,
    "totalRefundedSet": lambda refund, info: show_money(refund.amount, info),
    "transactions": _list_back,
    "updatedAt": lambda refund, info: write_time(refund.created_at),
}

REFUNDED_RESOLVERS: dict[str, Any] = {
    "lineItem": lambda one, info: one.line,
    "quantity": lambda one, info: one.entry.quantity,
    "restockType": lambda one, info: one.entry.restock_type.upper(),
    "restocked": lambda one, info: one.entry.restock_type != "no_restock",
}


def _show_parent(payment: Payment, info: Info) -> Payment | None:
    return None if payment.parent is None else list_payments(payment.order)[0]


PAYMENT_RESOLVERS: dict[str, Any] = {
    "id": lambda payment, info: write_gid("OrderTransaction", payment.index),
    "amountSet": lambda payment, info: show_money(payment.amount, info),
    "createdAt": lambda payment, info: write_time(payment.created_at),
    "gateway": lambda payment, info: GATEWAY,
    "parentTransaction": _show_parent,
    "test": lambda payment, info: True,
}

RETURN_RESOLVERS: dict[str, Any] = {
    "id": lambda known, info: write_gid("Return", known.index),
    "createdAt": lambda known, info: write_time(known.created_at),
    "name": lambda known, info: f"{_order_of(known, info).name}-R{known.index % PLACES + 1}",
    "order": _order_of,
    "exchangeLineItems": _list_exchanged,
    "returnLineItems": _list_returned,
    "totalQuantity": lambda known, info: sum(entry.quantity for entry in known.lines),
}

RETURNED_RESOLVERS: dict[str, Any] = {
    "id": lambda one, info: write_gid("ReturnLineItem", one.entry.index),
    "fulfillmentLineItem": _show_shipped,
    "processableQuantity": lambda one, info: one.entry.quantity - one.entry.processed,
    "processedQuantity": lambda one, info: one.entry.processed,
    "quantity": lambda one, info: one.entry.quantity,
    "unprocessedQuantity": lambda one, info: one.entry.quantity - one.entry.processed,
}

EXCHANGED_RESOLVERS: dict[str, Any] = {
    "id": lambda one, info: write_gid("ExchangeLineItem", one.entry.index),
    "lineItems": lambda one, info: [one.order.find_line(line) for line in one.entry.lines] or None,
    "processableQuantity": lambda one, info: one.entry.quantity - one.entry.processed,
    "processedQuantity": lambda one, info: one.entry.processed,
    "quantity": lambda one, info: one.entry.quantity,
    "unprocessedQuantity": lambda one, info: one.entry.quantity - one.entry.processed,
    "variantId": lambda one, info: write_gid("ProductVariant", one.entry.item),
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "QueryRoot": {"return": resolve_by_id(find_return)},
    "Mutation": {"refundCreate": create_refund, "returnProcess": process_return},
    "Refund": REFUND_RESOLVERS,
    "RefundLineItem": REFUNDED_RESOLVERS,
    "OrderTransaction": PAYMENT_RESOLVERS,
    "Return": RETURN_RESOLVERS,
    "ReturnLineItem": RETURNED_RESOLVERS,
    "ExchangeLineItem": EXCHANGED_RESOLVERS,
}
