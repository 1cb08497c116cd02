"""The methods of the contract, behind one door: late or broken on command, let in, done, perhaps cut off."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.respond import CutResponse, JsonResponse
from adapters.sandbox.threepl.config import Defect
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.respond import Refused
from adapters.sandbox.threepl.show_orders import show_changes, show_fulfillments
from adapters.sandbox.threepl.show_stock import show_stock
from adapters.sandbox.threepl.state import ORDERS_MAX, Item, Order, State
from adapters.sandbox.threepl.work_off import cancel, work_off

BODY_BYTES_MAX = 2_000_000
ITEMS_MAX = 1_000
Method = Callable[[State, dict[str, Any]], dict[str, Any]]


def delegate(state: State, body: dict[str, Any]) -> dict[str, Any]:
    transaction = _text(body, "transaction_id")
    known = state.by_transaction.get(transaction)
    if known is not None and not state.has(Defect.FORGETS_TRANSACTIONS):
        return {"fulfillment_provider_order_id": known}
    if len(state.orders) >= ORDERS_MAX:
        raise Refused(503, "full", "the sandbox holds no more orders")
    items = _read_items(body)
    now = state.now()
    same = state.has(Defect.ONE_ID_FOR_ALL)
    order_id = "the-order" if same else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{transaction}:{len(state.orders)}"))
    state.by_transaction[transaction] = order_id
    state.orders[order_id] = Order(order_id, transaction, str(body.get("order_id", "")), items, now, now, now)
    return {"fulfillment_provider_order_id": order_id}


def request_cancel(state: State, body: dict[str, Any]) -> dict[str, Any]:
    _text(body, "reason")
    order = _find(state, body)
    if state.has(Defect.REFUSES_CANCEL):
        raise Refused(422, "not_supported", "cancellations go by telephone")
    cancel(state, order)
    return {}


def get_fulfillments(state: State, body: dict[str, Any]) -> dict[str, Any]:
    return show_fulfillments(state, _find(state, body))


METHODS: dict[str, Method] = {
    "delegate_fulfillment": delegate,
    "cancel_fulfillment": request_cancel,
    "get_fulfillments": get_fulfillments,
    "get_recent_changes": show_changes,
    "get_inventory": show_stock,
}
DONE_BY = frozenset({"delegate_fulfillment", "cancel_fulfillment"})


@dataclass(frozen=True, slots=True)
class Api:
    state: State

    def endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            raw = await request.body()
            if self.state.has(Defect.SLOW):
                await asyncio.sleep(self.state.config.slow_seconds)
            try:
                found = self._answer(name, raw)
            except Refused as refused:
                return refused.render()
            if name in DONE_BY and self.state.faults.strike(FaultKind.LOST_REPLY):
                return CutResponse()
            return JsonResponse(found)

        return answer

    def _answer(self, name: str, raw: bytes) -> dict[str, Any]:
        state = self.state
        state.calls[name] = state.calls.get(name, 0) + 1
        if state.faults.strike(FaultKind.DOWN):
            raise Refused(503, "unavailable", "closed")
        if state.faults.strike(FaultKind.THROTTLED):
            raise Refused(429, "too_many_requests", "slow down", {"retry-after": "1"})
        if state.faults.strike(FaultKind.ERROR_500):
            raise Refused(500, "internal", "something broke")
        body = _read_body(raw)
        self._authenticate(body)
        _text(body, "transaction_id")
        work_off(state)
        return METHODS[name](state, body)

    def _authenticate(self, body: dict[str, Any]) -> None:
        auth, config = body.get("auth"), self.state.config
        if not isinstance(auth, dict) or not isinstance(auth.get("fulfillment_provider_api_code"), str):
            raise Refused(400, "invalid", "auth.fulfillment_provider_api_code is required")
        expired = self.state.faults.strike(FaultKind.TOKEN_EXPIRED)
        right = auth["fulfillment_provider_api_code"] == config.provider and auth.get("api_key") == config.api_key
        if expired or not (right or self.state.has(Defect.LETS_ANYBODY_IN)):
            raise Refused(401, "credentials_invalid", "The credentials are not valid.")


def _read_body(raw: bytes) -> dict[str, Any]:
    if len(raw) > BODY_BYTES_MAX:
        raise Refused(413, "invalid", "the body is too large")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refused(400, "invalid", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid", "the body is not an object")
    return body


def _read_items(body: dict[str, Any]) -> list[Item]:
    wanted = body.get("requested_fulfillments")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        raise Refused(400, "invalid", "requested_fulfillments is required")
    raw = [item for one in wanted for item in one.get("items") or ()]
    if not raw or len(raw) > ITEMS_MAX or not all(isinstance(item, dict) for item in raw):
        raise Refused(400, "invalid", f"there are 1 to {ITEMS_MAX} items")
    return [_read_item(item) for item in raw]


def _read_item(raw: dict[str, Any]) -> Item:
    product = raw.get("product") or {}
    found = (product.get("identifiers") or {}).get("sku") or product.get("product_id")
    quantity = raw.get("quantity")
    if not found or not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
        raise Refused(400, "invalid", "an item has a SKU and a whole quantity")
    line_id = raw.get("line_item_id")
    return Item(None if line_id is None else str(line_id), str(found), str(raw.get("description", "")), quantity)


def _find(state: State, body: dict[str, Any]) -> Order:
    order = state.orders.get(_text(body, "fulfillment_provider_order_id"))
    if order is None:
        raise Refused(404, "fulfillments_not_found", "There is no such order.")
    return order


def _text(body: dict[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise Refused(400, "invalid", f"{name} is required")
    return found
