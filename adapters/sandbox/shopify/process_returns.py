"""Returns: what the merchant does in the admin, and `returnProcess`.

Units are processed once, and know no key. What is sent instead becomes lines of the same order when it is processed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol, TypeVar

from adapters.sandbox.read_body import OrderError
from adapters.sandbox.shopify.change_order import announce
from adapters.sandbox.shopify.context import Context, Info
from adapters.sandbox.shopify.ids import read_gid
from adapters.sandbox.shopify.inject_faults import FaultKind
from adapters.sandbox.shopify.issue_refunds import RefundError, read_amount, write_refund
from adapters.sandbox.shopify.list_payments import count_left, list_payments
from adapters.sandbox.shopify.place_order import take_stock, write_line
from adapters.sandbox.shopify.refunds import LINE_PLACES, PLACES, ExchangeLine, Return, ReturnedLine
from adapters.sandbox.shopify.render_event import render_edit, render_return
from adapters.sandbox.shopify.route_order import route_order
from adapters.sandbox.shopify.state import (
    ORDERS_EDITED,
    RETURNS_APPROVE,
    RETURNS_CANCEL,
    RETURNS_PROCESS,
    Line,
    Order,
    State,
    now,
)

RETURNS_MAX = PLACES - 1


class Processable(Protocol):
    index: int
    quantity: int
    processed: int


P = TypeVar("P", bound=Processable)


def process_return(source: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """Resolver of Mutation.returnProcess. Nothing is disposed of, so nothing is restocked."""
    try:
        known = _process(info.context, input)
    except RefundError as error:
        answer = {"code": error.code, "field": error.field, "message": str(error)}
        return {"return": None, "userErrors": [answer]}
    if info.context.faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return {"return": None, "userErrors": [{"code": None, "field": None, "message": "Something went wrong."}]}
    return {"return": known, "userErrors": []}


def _process(context: Context, wanted: dict[str, Any]) -> Return:
    state = context.state
    known = find_return(state, wanted["returnId"])
    if known is None:
        raise RefundError("Return does not exist", "returnId", code="NOT_FOUND")
    if known.status != "OPEN":
        raise RefundError(f"Return is {known.status.lower()}", "returnId", code="INVALID_STATE")
    order = state.orders[known.order]
    chosen = _choose(known.lines, wanted, "returnLineItems", "ReturnLineItem")
    sent = _choose(known.exchanges, wanted, "exchangeLineItems", "ExchangeLineItem")
    amount = _read_transfer(state, order, wanted.get("financialTransfer") or {})
    lines = [(order.find_line(entry.line), units, "no_restock") for entry, units in chosen]
    if amount is not None:
        write_refund(context, order, lines, amount, None, known.index)
    _settle(state, order, known, chosen, sent)
    return known


def _choose(entries: list[P], wanted: dict[str, Any], name: str, kind: str) -> list[tuple[P, int]]:
    """The entries of the return that the input names, with units."""
    chosen = []
    for place, raw in enumerate(wanted.get(name) or ()):
        entry = next((one for one in entries if one.index == read_gid(kind, raw["id"])), None)
        if entry is None:
            raise RefundError("Line item does not exist", name, str(place), "id", code="NOT_FOUND")
        if not 0 < raw["quantity"] <= entry.quantity - entry.processed:
            message = "Quantity cannot be more than the processable quantity"
            raise RefundError(message, name, str(place), "quantity")
        chosen.append((entry, raw["quantity"]))
    return chosen


def _settle(
    state: State,
    order: Order,
    known: Return,
    chosen: list[tuple[ReturnedLine, int]],
    sent: list[tuple[ExchangeLine, int]],
) -> None:
    for entry, units in chosen:
        entry.processed += units
    added = [(_add_line(state, order, entry, units), units) for entry, units in sent]
    if not any(one.quantity > one.processed for one in known.lines + known.exchanges):
        known.status = "CLOSED"
    state.touch()
    state.emit(RETURNS_PROCESS, lambda: render_return(state, order, known))
    if added:
        state.emit(ORDERS_EDITED, lambda: render_edit(state, order, [], added))
        announce(state, order)


def _add_line(state: State, order: Order, entry: ExchangeLine, units: int) -> Line:
    """It is taken out of the store's own number, as if it were sold; whether that is there nobody asks."""
    line = write_line(state, entry.sku, units)
    order.lines.append(line)
    entry.processed += units
    entry.lines.append(line.index)
    route_order(state, order, take_stock(state, line))
    return line


def _read_transfer(state: State, order: Order, transfer: dict[str, Any]) -> Decimal | None:
    """None when nothing is to be paid."""
    issue = transfer.get("issueRefund")
    if issue is None:
        return None
    field, amount, sale = ("financialTransfer", "issueRefund", "orderTransactions"), Decimal(0), list_payments(order)[0]
    for place, raw in enumerate(issue["orderTransactions"]):
        money = raw["transactionAmount"]
        if read_gid("OrderTransaction", raw["parentId"]) != sale.index or sale.status != "SUCCESS":
            raise RefundError("Parent transaction does not exist", *field, str(place), "parentId", code="NOT_FOUND")
        if money["currencyCode"] != state.config.currency:
            raise RefundError("Currency must be the presentment currency of the order", *field, str(place))
        amount += read_amount(money["amount"], *field, str(place), "transactionAmount")
    if amount > count_left(order) and not issue.get("allowOverRefunding"):
        raise RefundError("Refund amount cannot be more than the amount available for refund", *field)
    return amount


def open_return(state: State, order: Order, quantities: dict[str, int], exchanges: dict[str, int]) -> Return:
    """The merchant approves a return of shipped units. Raises OrderError with nothing changed."""
    if len(order.returns) >= RETURNS_MAX or not 0 < len(quantities) <= LINE_PLACES:
        raise OrderError(409, "TOO_MANY", f"the sandbox store keeps {RETURNS_MAX} returns of an order")
    index, lines = order.index * PLACES + len(order.returns), []
    for place, (sku, units) in enumerate(quantities.items()):
        line = next((one for one in order.lines if one.sku == sku), None)
        if line is None:
            raise OrderError(404, "UNKNOWN_SKU", f"{order.name} has no {sku}")
        if not 0 < units <= (left := line.shipped - line.returned - _count_open(order, line)):
            raise OrderError(409, "BAD_QUANTITY", f"{sku}: at most {left} can be returned")
        lines.append(ReturnedLine(index * LINE_PLACES + place, line.index, units))
    known = Return(index, order.index, lines, now(), exchanges=_read_exchanges(state, index, exchanges))
    order.returns.append(known)
    state.touch()
    state.emit(RETURNS_APPROVE, lambda: render_return(state, order, known))
    return known


def _read_exchanges(state: State, index: int, exchanges: dict[str, int]) -> list[ExchangeLine]:
    made = []
    for place, (sku, units) in enumerate(exchanges.items()):
        if sku not in state.item_by_sku:
            raise OrderError(404, "UNKNOWN_SKU", f"the store does not sell {sku}")
        made.append(ExchangeLine(index * LINE_PLACES + place, sku, state.item_by_sku[sku], units))
    return made


def _count_open(order: Order, line: Line) -> int:
    entries = (one for known in order.returns if known.status == "OPEN" for one in known.lines)
    return sum(one.quantity - one.processed for one in entries if one.line == line.index)


def process_whole(state: State, order: Order) -> None:
    """The merchant has the goods, and sends what is sent instead. Raises OrderError 409 when no return is open."""
    known = _find_open(order)
    chosen = [(one, one.quantity - one.processed) for one in known.lines if one.quantity > one.processed]
    sent = [(one, one.quantity - one.processed) for one in known.exchanges if one.quantity > one.processed]
    _settle(state, order, known, chosen, sent)


def cancel_return(state: State, order: Order) -> None:
    """The customer keeps the goods. Raises OrderError 409 when no return is open."""
    known = _find_open(order)
    known.status = "CANCELED"
    state.touch()
    state.emit(RETURNS_CANCEL, lambda: render_return(state, order, known))


def _find_open(order: Order) -> Return:
    known = next((one for one in order.returns if one.status == "OPEN"), None)
    if known is None:
        raise OrderError(409, "NOT_OPEN", f"no return of {order.name} is open")
    return known


def find_return(state: State, gid: str) -> Return | None:
    index = read_gid("Return", gid) or 0
    order = state.orders.get(index // PLACES)
    return next((known for known in order.returns if known.index == index), None) if order else None
