"""The doors around the Admin API: the page, the till, and what tests and the demo set up and read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.faults import FaultError
from adapters.sandbox.read_body import OrderError, go_back, read_cart_form, read_json, read_object
from adapters.sandbox.render_page import read_view
from adapters.sandbox.respond import JsonResponse
from adapters.sandbox.shopify.change_stock import change_outside, unstock
from adapters.sandbox.shopify.config import PRODUCTS_MAX, ConfigError, ProductConfig
from adapters.sandbox.shopify.deliver_webhooks import Postman
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.inject_faults import Faults
from adapters.sandbox.shopify.place_order import place_order, read_cart
from adapters.sandbox.shopify.serve_graphql import is_authorized
from adapters.sandbox.shopify.serve_page import render_page
from adapters.sandbox.shopify.state import Order, State, load_product, shown_quantity


def refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status)


@dataclass(frozen=True, slots=True)
class StoreDoors:
    state: State
    faults: Faults
    postman: Postman

    async def show_page(self, request: Request) -> Response:
        html = render_page(self.state, read_view(request.query_params))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def buy(self, request: Request) -> Response:
        """JSON for scripts (201, or the refusal's status); a form for people (back to the page)."""
        body = await request.body()
        # curl calls any body a form unless told otherwise, so a body that opens like JSON is JSON.
        kind = request.headers.get("content-type", "")
        is_form = kind.startswith("application/x-www-form-urlencoded") and not body.lstrip().startswith(b"{")
        try:
            order = place_order(self.state, read_cart(read_cart_form(body) if is_form else read_json(body)))
        except OrderError as error:
            return go_back(str(error), bad=True) if is_form else refuse(error.status, error.code, str(error))
        if is_form:
            return go_back(f"Thank you: order {order.name} is placed.")
        return JsonResponse(render_receipt(order), 201)

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the store's own clock."""
        since = request.query_params.get("since", "0")
        try:
            oldest = float(since)
        except ValueError:
            return refuse(400, "BAD_SINCE", "since is a time in seconds")
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
        """Replaces all faults, or adds one when `kind` is given: {"kind": "lost_reply", "count": 2}.

        Two keys act instead: `oversell` is switched, `outside_changes` are done.
        """
        if not is_authorized(request, self.state.config.token):
            return _refuse_token()
        raw = read_object(await request.body())
        if raw is None:
            return refuse(400, "BAD_FAULTS", "send an object of faults")
        oversell = raw.pop("oversell", self.state.oversell)
        changes = raw.pop("outside_changes", [])
        if not isinstance(oversell, bool) or not _are_changes(self.state, changes):
            return refuse(400, "BAD_FAULTS", "oversell is a boolean; outside_changes are [{sku, delta}]")
        try:
            if "kind" in raw:
                self.faults.add_counted(raw)
            else:
                self.faults.replace(raw)
        except FaultError as error:
            return refuse(400, "BAD_FAULTS", str(error))
        self.state.oversell = oversell
        for change in changes:
            change_outside(self.state, change["sku"], change["delta"])
        return JsonResponse(self.faults.render())

    async def load_products(self, request: Request) -> Response:
        """Adds or renames products: [{sku, title, price, barcode, quantity}]; all of them or none."""
        if not is_authorized(request, self.state.config.token):
            return _refuse_token()
        try:
            raw = read_json(await request.body())
            if not isinstance(raw, list) or len(raw) > PRODUCTS_MAX:
                raise ConfigError(f"send a list of at most {PRODUCTS_MAX} products")
            products = [ProductConfig.parse(entry) for entry in raw if _require_object(entry)]
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


def _require_object(entry: Any) -> bool:
    if not isinstance(entry, dict):
        raise ConfigError("a product is an object")
    return True


def _are_changes(state: State, changes: Any) -> bool:
    return isinstance(changes, list) and all(
        isinstance(change, dict) and change.get("sku") in state.item_by_sku and isinstance(change.get("delta"), int)
        for change in changes
    )


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
