"""The doors around the API: the page, the till, and what tests and the demo set up and read."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.amazon.change_stock import change_outside
from adapters.sandbox.amazon.config import ConfigError, ProductConfig
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.place_order import cancel_order, place_order, read_cart, request_cancel
from adapters.sandbox.amazon.serve_page import render_page
from adapters.sandbox.amazon.serve_returns import move_return, open_return, render_return
from adapters.sandbox.amazon.state import Order, load_product, shown_quantity
from adapters.sandbox.amazon.work_off import work_off
from adapters.sandbox.doors import change_faults, read_products, read_since, refuse, sell
from adapters.sandbox.read_body import OrderError, read_object
from adapters.sandbox.render_page import read_view
from adapters.sandbox.respond import JsonResponse

REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class MarketDoors:
    market: Market

    async def show_page(self, request: Request) -> Response:
        work_off(self.market)
        html = render_page(self.market.state, read_view(request.query_params))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def buy(self, request: Request) -> Response:
        work_off(self.market)
        return await sell(
            request, lambda cart: place_order(self.market, read_cart(cart)), lambda o: o.order_id, _render_receipt
        )

    async def cancel(self, request: Request) -> Response:
        """The buyer's: {"order_id", "reason"?, "ask"?}. `ask` leaves the answer to the seller."""
        work_off(self.market)
        raw = read_object(await request.body()) or {}
        order = self.market.state.orders.get(str(raw.get("order_id")))
        if order is None:
            return refuse(404, "UNKNOWN_ORDER", "order_id is of no order here")
        if order.status in ("SHIPPED", "CANCELLED"):
            return refuse(409, "TOO_LATE", f"the order is {order.status}")
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
            return refuse(404, "UNKNOWN_ORDER", "order_id is of no order here")
        try:
            made = open_return(self.market, order, raw)
        except OrderError as error:
            return refuse(error.status, error.code, str(error))
        return JsonResponse({"returns": [render_return(self.market, known) for known in made]}, 201)

    async def move_return(self, request: Request) -> Response:
        """{"return", "status"}."""
        try:
            known = move_return(self.market, read_object(await request.body()) or {})
        except OrderError as error:
            return refuse(error.status, error.code, str(error))
        return JsonResponse(render_return(self.market, known))

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the marketplace's own clock."""
        work_off(self.market)
        try:
            return JsonResponse(render_state(self.market, read_since(request)))
        except OrderError as error:
            return refuse(error.status, error.code, str(error))

    async def set_faults(self, request: Request) -> Response:
        if not self._is_allowed(request):
            return _refuse_token()
        market = self.market
        return await change_faults(
            request,
            market.faults,
            market.state,
            market.state.listings,
            lambda sku, delta: change_outside(market, sku, delta),
        )

    async def load_products(self, request: Request) -> Response:
        """Adds or renames listings: [{sku, title, price, barcode, quantity, ...}]; all of them or none."""
        if not self._is_allowed(request):
            return _refuse_token()
        try:
            products = await read_products(request, ProductConfig.parse)
        except (ConfigError, OrderError) as error:
            return refuse(400, "BAD_PRODUCTS", str(error))
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
    return refuse(401, "UNAUTHORIZED", "send the marketplace's refresh token as X-Sandbox-Token")


def _render_receipt(order: Order) -> dict[str, Any]:
    return {
        "id": order.order_id,
        "name": order.order_id,
        "status": order.status,
        "at": order.created_at,
        "lines": [{"id": line.item_id, "sku": line.sku, "quantity": line.quantity} for line in order.lines],
        "packages": [package.tracking_number for package in order.packages],
    }
