"""The doors around the API: the page, the till, and what tests and the demo set up and read."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.amazon.change_stock import change_outside
from adapters.sandbox.amazon.config import PRODUCTS_MAX, ConfigError, ProductConfig
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.place_order import cancel_order, place_order, read_cart, request_cancel
from adapters.sandbox.amazon.serve_page import render_page
from adapters.sandbox.amazon.serve_returns import move_return, open_return, render_return
from adapters.sandbox.amazon.state import Order, load_product, shown_quantity
from adapters.sandbox.amazon.work_off import work_off
from adapters.sandbox.faults import FaultError
from adapters.sandbox.read_body import OrderError, go_back, read_cart_form, read_json, read_object
from adapters.sandbox.render_page import read_view
from adapters.sandbox.respond import JsonResponse

REASON_MAX = 200


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status)


@dataclass(frozen=True, slots=True)
class MarketDoors:
    market: Market

    async def show_page(self, request: Request) -> Response:
        work_off(self.market)
        html = render_page(self.market.state, read_view(request.query_params))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def buy(self, request: Request) -> Response:
        """JSON for scripts (201, or the refusal's status); a form for people (back to the page)."""
        work_off(self.market)
        body = await request.body()
        # curl calls any body a form unless told otherwise, so a body that opens like JSON is JSON.
        kind = request.headers.get("content-type", "")
        is_form = kind.startswith("application/x-www-form-urlencoded") and not body.lstrip().startswith(b"{")
        try:
            order = place_order(self.market, read_cart(read_cart_form(body) if is_form else read_json(body)))
        except OrderError as error:
            return go_back(str(error), bad=True) if is_form else _refuse(error.status, error.code, str(error))
        if is_form:
            return go_back(f"Thank you: order {order.order_id} is placed.")
        return JsonResponse(_render_receipt(order), 201)

    async def cancel(self, request: Request) -> Response:
        """The buyer's: {"order_id", "reason"?, "ask"?}. `ask` leaves the answer to the seller."""
        work_off(self.market)
        raw = read_object(await request.body()) or {}
        order = self.market.state.orders.get(str(raw.get("order_id")))
        if order is None:
            return _refuse(404, "UNKNOWN_ORDER", "order_id is of no order here")
        if order.status in ("SHIPPED", "CANCELLED"):
            return _refuse(409, "TOO_LATE", f"the order is {order.status}")
        reason = str(raw.get("reason") or "Changed my mind")[:REASON_MAX]
        if raw.get("ask") is True:
            request_cancel(self.market, order, reason)
        else:
            cancel_order(self.market, order, "BUYER", reason)
        return JsonResponse(_render_receipt(order))

    async def open_return(self, request: Request) -> Response:
        """{"order_id", "lines": [{"sku", "quantity"}], "reason"?, "kind"?}: each line comes back by itself."""
        raw = read_object(await request.body()) or {}
        order = self.market.state.orders.get(str(raw.get("order_id")))
        if order is None:
            return _refuse(404, "UNKNOWN_ORDER", "order_id is of no order here")
        try:
            made = open_return(self.market, order, raw)
        except OrderError as error:
            return _refuse(error.status, error.code, str(error))
        return JsonResponse({"returns": [render_return(self.market, known) for known in made]}, 201)

    async def move_return(self, request: Request) -> Response:
        """{"return", "status"}."""
        try:
            known = move_return(self.market, read_object(await request.body()) or {})
        except OrderError as error:
            return _refuse(error.status, error.code, str(error))
        return JsonResponse(render_return(self.market, known))

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the marketplace's own clock."""
        work_off(self.market)
        try:
            oldest = float(request.query_params.get("since", "0"))
        except ValueError:
            return _refuse(400, "BAD_SINCE", "since is a time in seconds")
        return JsonResponse(render_state(self.market, oldest))

    async def set_faults(self, request: Request) -> Response:
        """Replaces all faults, or adds one when `kind` is given: {"kind": "lost_reply", "count": 2}.

        Two keys act instead: `oversell` is switched, `outside_changes` are done.
        """
        if not self._is_allowed(request):
            return _refuse_token()
        raw = read_object(await request.body())
        if raw is None:
            return _refuse(400, "BAD_FAULTS", "send an object of faults")
        state, faults = self.market.state, self.market.faults
        oversell, changes = raw.pop("oversell", state.oversell), raw.pop("outside_changes", [])
        if not isinstance(oversell, bool) or not self._are_changes(changes):
            return _refuse(400, "BAD_FAULTS", "oversell is a boolean; outside_changes are [{sku, delta}]")
        try:
            if "kind" in raw:
                faults.add_counted(raw)
            else:
                faults.replace(raw)
        except FaultError as error:
            return _refuse(400, "BAD_FAULTS", str(error))
        state.oversell = oversell
        for change in changes:
            change_outside(self.market, change["sku"], change["delta"])
        return JsonResponse(faults.render())

    async def load_products(self, request: Request) -> Response:
        """Adds or renames listings: [{sku, title, price, barcode, quantity, ...}]; all of them or none."""
        if not self._is_allowed(request):
            return _refuse_token()
        try:
            raw = read_json(await request.body())
            if not isinstance(raw, list) or len(raw) > PRODUCTS_MAX or not all(isinstance(e, dict) for e in raw):
                raise ConfigError(f"send a list of at most {PRODUCTS_MAX} products")
            products = [ProductConfig.parse(entry) for entry in raw]
        except (ConfigError, OrderError) as error:
            return _refuse(400, "BAD_PRODUCTS", str(error))
        loaded = [load_product(self.market.state, product) for product in products]
        return JsonResponse({"loaded": len(loaded), "asins": {listing.sku: listing.asin for listing in loaded}}, 201)

    async def show_health(self, request: Request) -> Response:
        return JsonResponse({"status": "ok"})

    def _is_allowed(self, request: Request) -> bool:
        given = request.headers.get("x-sandbox-token", "")
        return hmac.compare_digest(given.encode(), self.market.config.refresh_token.encode())

    def _are_changes(self, changes: Any) -> bool:
        return isinstance(changes, list) and all(
            isinstance(change, dict)
            and change.get("sku") in self.market.state.listings
            and isinstance(change.get("delta"), int)
            for change in changes
        )


def render_state(market: Market, oldest: float) -> dict[str, Any]:
    state, queue = market.state, market.queue
    return {
        "quantities": {listing.sku: shown_quantity(state, listing) for listing in state.listings.values()},
        "lead_times": {
            listing.sku: entry["lead_time_to_ship_max_days"]
            for listing in state.listings.values()
            for entry in listing.entries
            if "lead_time_to_ship_max_days" in entry
        },
        "orders": [_render_receipt(order) for order in state.orders.values() if order.created_at >= oldest],
        "order_count": state.counters.get("Order", 0),
        "acknowledgements": [write for write in state.acknowledged if write["at"] >= oldest],
        "history": [write for write in state.history if write["at"] >= oldest],
        "feeds": [{"id": feed.feed_id, "status": feed.status, "at": feed.created_at} for feed in state.feeds.values()],
        "calls": market.calls,
        "throttled": market.throttled,
        "notifications": {
            "pending": len(queue.messages),
            "published": queue.published,
            "deleted": queue.deleted,
            "dropped": queue.dropped,
        },
        "faults": market.faults.render(),
        "oversell": state.oversell,
    }


def _refuse_token() -> JsonResponse:
    return _refuse(401, "UNAUTHORIZED", "send the marketplace's refresh token as X-Sandbox-Token")


def _render_receipt(order: Order) -> dict[str, Any]:
    return {
        "id": order.order_id,
        "name": order.order_id,
        "status": order.status,
        "at": order.created_at,
        "lines": [{"id": line.item_id, "sku": line.sku, "quantity": line.quantity} for line in order.lines],
        "packages": [package.tracking_number for package in order.packages],
    }
