"""Doors for what becomes of an order, for the app's going, and the one that renews access tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.doors import refuse
from adapters.sandbox.read_body import OrderError, go_back, read_object
from adapters.sandbox.respond import CutResponse, JsonResponse
from adapters.sandbox.shopify.change_order import (
    REASONS,
    cancel_order,
    edit_order,
    hold_order,
    pay_order,
    refund_order,
    request_cancellation,
)
from adapters.sandbox.shopify.grant_tokens import GrantError, grant_tokens, read_grant
from adapters.sandbox.shopify.ids import read_gid
from adapters.sandbox.shopify.inject_faults import FaultKind, Faults
from adapters.sandbox.shopify.issue_refunds import settle_refunds
from adapters.sandbox.shopify.place_order import read_cart
from adapters.sandbox.shopify.process_returns import cancel_return, open_return, process_whole
from adapters.sandbox.shopify.render_event import render_uninstall
from adapters.sandbox.shopify.serve_store import render_receipt
from adapters.sandbox.shopify.state import APP_UNINSTALLED, Order, State

FIELDS_MAX = 10


def _cancel(state: State, order: Order, raw: dict[str, Any]) -> None:
    reason = raw.get("reason", "CUSTOMER")
    if reason not in REASONS:
        raise OrderError(400, "BAD_REASON", f"reason is one of {', '.join(REASONS)}")
    cancel_order(state, order, reason)


def _refund(state: State, order: Order, raw: dict[str, Any]) -> None:
    refund_order(state, order, read_cart(raw).lines, restock=raw.get("restock") is True)


def _return(state: State, order: Order, raw: dict[str, Any]) -> None:
    exchanges = read_cart({"lines": raw["exchanges"]}).lines if raw.get("exchanges") else {}
    open_return(state, order, read_cart(raw).lines, exchanges)


def _edit(state: State, order: Order, raw: dict[str, Any]) -> None:
    """Zero is a quantity here, as it is not in a cart."""
    lines = raw.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise OrderError(400, "BAD_LINES", 'send {"lines": [{"sku": "...", "quantity": 0}]}')
    quantities = {str(line.get("sku")): line.get("quantity") for line in lines}
    if not all(isinstance(quantity, int) for quantity in quantities.values()):
        raise OrderError(400, "BAD_LINES", "a line needs a whole quantity")
    edit_order(state, order, quantities)


VERBS: dict[str, Callable[[State, Order, dict[str, Any]], None]] = {
    "cancel": _cancel,
    "edit": _edit,
    "hold": lambda state, order, raw: hold_order(state, order, held=True),
    "pay": lambda state, order, raw: pay_order(state, order),
    "refund": _refund,
    "release": lambda state, order, raw: hold_order(state, order, held=False),
    "return": _return,
    "process-return": lambda state, order, raw: process_whole(state, order),
    "cancel-return": lambda state, order, raw: cancel_return(state, order),
    "settle-refunds": lambda state, order, raw: settle_refunds(state, order),
    "request-cancellation": lambda state, order, raw: request_cancellation(state, order),
}


@dataclass(frozen=True, slots=True)
class OrderDoors:
    state: State
    faults: Faults

    async def change_order(self, request: Request) -> Response:
        """POST /orders/{verb}: JSON for scripts, a form for the page's buttons; `order` is its name or global id."""
        body = await request.body()
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        try:
            change = VERBS.get(request.path_params["verb"])
            if change is None:
                raise OrderError(404, "UNKNOWN_VERB", f"an order can be told to {', '.join(VERBS)}")
            raw = _read_fields(body) if is_form else _read_json(body)
            order = find_order(self.state, str(raw.get("order")))
            change(self.state, order, raw)
        except OrderError as error:
            return go_back(str(error), bad=True) if is_form else refuse(error.status, error.code, str(error))
        if is_form:
            return go_back(f"Order {order.name}: done.")
        return JsonResponse(render_receipt(order))

    async def uninstall(self, request: Request) -> Response:
        """The app is told that it is gone; then nothing opens the API, and nobody is told anything any more."""
        self.state.emit(APP_UNINSTALLED, lambda: render_uninstall(self.state))
        self.state.installed = False
        self.state.touch()
        return JsonResponse({"installed": False})

    async def install(self, request: Request) -> Response:
        self.state.installed = True
        self.state.touch()
        return JsonResponse({"installed": True})

    async def grant(self, request: Request) -> Response:
        """POST /admin/oauth/access_token: the next pair of tokens for a refresh token."""
        try:
            pair = grant_tokens(self.state, read_grant(await request.body()))
        except GrantError as error:
            return JsonResponse({"error": error.code}, error.status)
        lost = self.faults.strike(FaultKind.LOST_TOKEN)
        return CutResponse(pair) if lost else JsonResponse(pair)


def find_order(state: State, named: str) -> Order:
    """Raises OrderError 404."""
    index = read_gid("Order", named)
    if index is None and named.startswith("#"):
        index = next((order.index for order in state.orders.values() if order.name == named), None)
    order = state.orders.get(index or 0)
    if order is None:
        raise OrderError(404, "UNKNOWN_ORDER", "give the order's name or its global id")
    return order


def _read_json(body: bytes) -> dict[str, Any]:
    raw = read_object(body)
    if raw is None:
        raise OrderError(400, "BAD_JSON", "the body is a JSON object")
    return raw


def _read_fields(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=FIELDS_MAX))
    except ValueError:
        raise OrderError(400, "BAD_FORM", "the body is a form") from None
