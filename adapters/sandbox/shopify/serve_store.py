"""The doors around the Admin API: the page, the till, and what tests and the demo set up and read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.doors import change_faults, read_products, read_since, refuse, sell
from adapters.sandbox.read_body import OrderError, read_object
from adapters.sandbox.render_page import read_view
from adapters.sandbox.respond import JsonResponse
from adapters.sandbox.shopify.change_stock import change_outside, unstock
from adapters.sandbox.shopify.config import ConfigError, ProductConfig
from adapters.sandbox.shopify.deliver_webhooks import Postman
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.inject_faults import Faults
from adapters.sandbox.shopify.place_order import place_order, read_cart
from adapters.sandbox.shopify.serve_graphql import is_authorized
from adapters.sandbox.shopify.serve_page import render_page
from adapters.sandbox.shopify.state import Order, State, load_product, shown_quantity


@dataclass(frozen=True, slots=True)
class StoreDoors:
    state: State
    faults: Faults
    postman: Postman

    async def show_page(self, request: Request) -> Response:
        html = render_page(self.state, read_view(request.query_params))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def buy(self, request: Request) -> Response:
        return await sell(
            request, lambda cart: place_order(self.state, read_cart(cart)), lambda o: o.name, render_receipt
        )

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the store's own clock."""
        try:
            oldest = read_since(request)
        except OrderError as error:
            return refuse(error.status, error.code, str(error))
        state = self.state
        return JsonResponse(
            {
                "quantities": {product.sku: shown_quantity(state, i) for i, product in state.products.items()},
                "orders": [render_receipt(o) for o in state.orders.values() if o.created_at >= oldest],
                "order_count": state.counters.get("Order", 0),
                "acknowledgements": [
                    {"sku": write["sku"], "quantity": write["available"], "at": write["at"]}
                    for write in state.history
                    if write["cause"] == "api" and write["at"] >= oldest
                ],
                "history": [write for write in state.history if write["at"] >= oldest],
                "subscriptions": [asdict(known) for known in state.subscriptions.values()],
                "webhooks": {
                    "pending": len(self.postman.pending),
                    "delivered": self.postman.delivered,
                    "dropped": self.postman.dropped,
                },
                "faults": self.faults.render(),
                "oversell": state.oversell,
                "installed": state.installed,
            }
        )

    async def set_faults(self, request: Request) -> Response:
        if not is_authorized(request, self.state.config.token):
            return _refuse_token()
        state = self.state
        return await change_faults(
            request, self.faults, state, state.item_by_sku, lambda sku, delta: change_outside(state, sku, delta)
        )

    async def load_products(self, request: Request) -> Response:
        """Adds or renames products: [{sku, title, price, barcode, quantity}]; all of them or none."""
        if not is_authorized(request, self.state.config.token):
            return _refuse_token()
        try:
            products = await read_products(request, ProductConfig.parse)
        except (ConfigError, OrderError) as error:
            return refuse(400, "BAD_PRODUCTS", str(error))
        loaded = [load_product(self.state, product) for product in products]
        items = {product.sku: write_gid("InventoryItem", product.index) for product in loaded}
        return JsonResponse({"loaded": len(loaded), "inventory_items": items}, 201)

    async def unstock(self, request: Request) -> Response:
        """{"sku"}: the first location no longer stocks it; needs the token."""
        if not is_authorized(request, self.state.config.token):
            return _refuse_token()
        raw = read_object(await request.body()) or {}
        if not unstock(self.state, str(raw.get("sku"))):
            return refuse(404, "UNKNOWN_SKU", "give the sku of something in stock")
        return JsonResponse({"unstocked": raw["sku"]})

    async def show_health(self, request: Request) -> Response:
        return JsonResponse({"status": "ok"})


def _refuse_token() -> JsonResponse:
    return refuse(401, "UNAUTHORIZED", "send the store's token as X-Shopify-Access-Token")


def render_receipt(order: Order) -> dict[str, Any]:
    return {
        "id": write_gid("Order", order.index),
        "name": order.name,
        "order_number": order.number,
        "at": order.created_at,
        "total": order.total,
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in order.lines],
        "current": [{"sku": line.sku, "quantity": line.current, "shipped": line.shipped} for line in order.lines],
        "financial_status": order.financial_status,
        "fulfillment_status": order.fulfillment_status,
        "cancelled": order.cancelled_at is not None,
        "parcels": [
            {"number": parcel.number, "company": parcel.company, "quantity": sum(e.quantity for e in parcel.lines)}
            for parcel in order.parcels
        ],
    }
