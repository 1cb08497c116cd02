"""orderCancel, a job that is done a moment later, and order edits, which change nothing before they are committed.

`restock: false` leaves what is available as it was: the units are gone from the store, and no longer committed. Edits
that nobody commits are forgotten, also by a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from adapters.sandbox.read_body import OrderError
from adapters.sandbox.shopify.change_order import cancel_order, lower_lines, require_open
from adapters.sandbox.shopify.context import Info, state_of
from adapters.sandbox.shopify.ids import number_of, read_gid, write_gid
from adapters.sandbox.shopify.inject_faults import FaultKind
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.state import Edit, Line, Order, State, trim

EDITS_MAX = 200


def cancel(source: Any, info: Info, *, orderId: str, reason: str, restock: bool, **more: Any) -> dict[str, Any]:  # noqa: N803
    """Resolver of Mutation.orderCancel. What the vendor refuses at once is refused here; the rest is the job's."""
    state, faults = info.context.state, info.context.faults
    order = state.orders.get(read_gid("Order", orderId) or 0)
    if order is None:
        return _refuse("NOT_FOUND", "orderId", "Order does not exist")
    if order.cancelled_at is not None:
        return _refuse("INVALID", "orderId", "Order has already been cancelled")
    if order.parcels:
        return _refuse("INVALID", "orderId", "Cannot cancel an order with fulfillments")
    job = {"id": f"gid://shopify/Job/{state.next_index('Job')}", "done": False}
    if not faults.strike(FaultKind.CANCEL_NOT_DONE):
        loop, refund = asyncio.get_running_loop(), bool(more.get("refund"))
        loop.call_later(state.config.cancel_seconds, _finish, state, order, reason, refund, restock)
    if faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return _refuse("INTERNAL_ERROR", None, "Something went wrong.")
    return {"job": job, "orderCancelUserErrors": []}


def _finish(state: State, order: Order, reason: str, refund: bool, restock: bool) -> None:
    """The buyer may have cancelled meanwhile, or a parcel have left: then nothing is left to do."""
    with contextlib.suppress(OrderError):
        cancel_order(state, order, reason, refund=refund, restock=restock)


def _refuse(code: str, field: str | None, message: str) -> dict[str, Any]:
    error = {"code": code, "field": field and [field], "message": message}
    return {"job": None, "orderCancelUserErrors": [error]}


def begin_edit(source: Any, info: Info, *, id: str) -> dict[str, Any]:  # noqa: A002
    """Resolver of Mutation.orderEditBegin."""
    state = state_of(info)
    order = state.orders.get(read_gid("Order", id) or 0)
    try:
        if order is None:
            raise OrderError(404, "UNKNOWN_ORDER", "The order does not exist.")
        require_open(order)
    except OrderError as error:
        return {"calculatedOrder": None, "userErrors": [{"field": ["id"], "message": str(error)}]}
    edit = Edit(state.next_index("CalculatedOrder"), order.index, {line.index: line.current for line in order.lines})
    state.edits[edit.index] = edit
    trim(state.edits, EDITS_MAX)
    return {"calculatedOrder": edit, "userErrors": []}


def set_quantity(
    source: Any,
    info: Info,
    *,
    id: str,  # noqa: A002
    lineItemId: str,  # noqa: N803
    quantity: int,
    **more: Any,
) -> dict[str, Any]:
    """Resolver of Mutation.orderEditSetQuantity."""
    state = state_of(info)
    edit = find_edit(state, id)
    line = _find_line(state, edit, lineItemId)
    problem = None
    if edit is None or line is None:
        problem = {"field": ["id" if edit is None else "lineItemId"], "message": "It does not exist."}
    elif not line.kept <= quantity <= line.current:
        problem = {"field": ["quantity"], "message": "Only unfulfilled items can be removed."}
    if problem is not None or edit is None or line is None:
        return {"calculatedLineItem": None, "calculatedOrder": edit, "userErrors": [problem]}
    edit.quantities[line.index] = quantity
    edit.restock = bool(more.get("restock"))
    return {"calculatedLineItem": (edit, line), "calculatedOrder": edit, "userErrors": []}


def commit_edit(source: Any, info: Info, *, id: str, **more: Any) -> dict[str, Any]:  # noqa: A002
    """Resolver of Mutation.orderEditCommit. An edit is committed once."""
    state = state_of(info)
    edit = find_edit(state, id)
    if edit is None:
        return {"order": None, "userErrors": [{"field": ["id"], "message": "The order edit does not exist."}]}
    order = state.orders[edit.order]
    removals = [(line, quantity) for line in order.lines if (quantity := edit.quantities[line.index]) < line.current]
    try:
        lower_lines(state, order, removals, restock=edit.restock)
    except OrderError as error:
        return {"order": None, "userErrors": [{"field": ["id"], "message": str(error)}]}
    del state.edits[edit.index]
    if info.context.faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return {"order": None, "userErrors": [{"field": None, "message": "Something went wrong."}]}
    return {"order": order, "userErrors": []}


def find_edit(state: State, gid: str) -> Edit | None:
    return state.edits.get(read_gid("CalculatedOrder", gid) or 0)


def _find_line(state: State, edit: Edit | None, gid: str) -> Line | None:
    """By the number that it has in the order."""
    order = None if edit is None else state.orders[edit.order]
    return next((line for line in order.lines if _name_line(line) == gid), None) if order else None


def _name_line(line: Line) -> str:
    return f"gid://shopify/CalculatedLineItem/{number_of('LineItem', line.index)}"


def _list_lines(edit: Edit, info: Info, **args: Any) -> dict[str, Any]:
    lines = [(edit, line) for line in state_of(info).orders[edit.order].lines]
    return build_connection(lines, lambda entry: [entry[1].index], args)


RESOLVERS: dict[str, dict[str, Any]] = {
    "Mutation": {
        "orderCancel": cancel,
        "orderEditBegin": begin_edit,
        "orderEditCommit": commit_edit,
        "orderEditSetQuantity": set_quantity,
    },
    "CalculatedOrder": {
        "id": lambda edit, info: write_gid("CalculatedOrder", edit.index),
        "lineItems": _list_lines,
        "originalOrder": lambda edit, info: state_of(info).orders[edit.order],
    },
    "CalculatedLineItem": {
        "id": lambda entry, info: _name_line(entry[1]),
        "quantity": lambda entry, info: entry[0].quantities[entry[1].index],
        "editableQuantity": lambda entry, info: entry[0].quantities[entry[1].index] - entry[1].kept,
        "editableQuantityBeforeChanges": lambda entry, info: entry[1].unshipped,
        "restocking": lambda entry, info: entry[0].restock and entry[0].quantities[entry[1].index] < entry[1].current,
        "sku": lambda entry, info: entry[1].sku,
        "title": lambda entry, info: entry[1].title,
    },
}
