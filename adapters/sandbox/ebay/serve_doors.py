"""The doors around the APIs: the page, the till, and what tests and the demo set up, break and read."""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.doors import change_faults, read_products, read_since, refuse, sell
from adapters.sandbox.ebay.change_order import cancel_order, find_order, pay_order
from adapters.sandbox.ebay.change_stock import change_outside
from adapters.sandbox.ebay.config import ConfigError, ProductConfig
from adapters.sandbox.ebay.deliver_notifications import Postman
from adapters.sandbox.ebay.inject_faults import Faults
from adapters.sandbox.ebay.issue_tokens import Tokens
from adapters.sandbox.ebay.place_order import place_order, read_cart
from adapters.sandbox.ebay.serve_page import render_page
from adapters.sandbox.ebay.state import Offer, Order, State, load_product, shown_quantity
from adapters.sandbox.read_body import OrderError, read_json
from adapters.sandbox.render_page import read_view
from adapters.sandbox.respond import JsonResponse


@dataclass(frozen=True, slots=True)
class Doors:
    state: State
    faults: Faults
    postman: Postman
    tokens: Tokens

    async def show_page(self, request: Request) -> Response:
        html = render_page(self.state, read_view(request.query_params))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    async def buy(self, request: Request) -> Response:
        return await sell(
            request, lambda cart: place_order(self.state, read_cart(cart)), lambda o: o.order_id, _render_receipt
        )

    async def pay(self, request: Request) -> Response:
        """{"order": id}: the payment that was pending comes through."""
        return await self._change(request, lambda order, raw: pay_order(self.state, order))

    async def cancel(self, request: Request) -> Response:
        """{"order": id, "step": "request" | "complete" | "reject"}; complete when no step is given."""
        return await self._change(
            request, lambda order, raw: cancel_order(self.state, order, str(raw.get("step", "complete")))
        )  # fmt: skip

    async def _change(self, request: Request, change: Any) -> Response:
        try:
            raw = read_json(await request.body())
            if not isinstance(raw, dict):
                raise OrderError(400, "BAD_JSON", "send an object")
            order = find_order(self.state, raw.get("order"))
            change(order, raw)
        except OrderError as error:
            return refuse(error.status, error.code, str(error))
        return JsonResponse(_render_receipt(order))

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the sandbox's own clock."""
        try:
            oldest = read_since(request)
        except OrderError as error:
            return refuse(error.status, error.code, str(error))
        state = self.state
        recent = [write for write in state.history if write["at"] >= oldest]
        return JsonResponse({
            "quantities": {sku: shown_quantity(state, sku) for sku in state.items},
            "ended": [offer.sku for offer in state.offers.values() if offer.ended],
            "orders": [_render_receipt(order) for order in state.orders.values() if order.created_at >= oldest],
            "order_count": state.counters.get("Order", 0),
            "acknowledgements": [
                {"sku": write["sku"], "quantity": write["available"], "at": write["at"]}
                for write in recent if write["cause"] == "api"
            ],
            "history": recent,
            "calls": {api: count for api, (_, count) in state.calls.items()},
            "revisions": {listing: count for listing, (_, count) in state.revisions.items()},
            "tokens_granted": self.tokens.grants,
            "destinations": [{"endpoint": d.endpoint, "status": d.status} for d in state.destinations.values()],
            "subscriptions": [asdict(known) for known in state.subscriptions.values()],
            "webhooks": {
                "pending": len(self.postman.pending),
                "delivered": self.postman.delivered,
                "dropped": self.postman.dropped,
            },
            "faults": self.faults.render(),
            "oversell": state.oversell,
        })  # fmt: skip

    async def set_faults(self, request: Request) -> Response:
        if not self._is_authorized(request):
            return _refuse_token()
        state = self.state
        return await change_faults(
            request, self.faults, state, state.items, lambda sku, delta: change_outside(state, sku, delta)
        )

    async def load_products(self, request: Request) -> Response:
        """Adds or renames products: [{sku, title, price, barcode, quantity, group}]; all of them or none."""
        if not self._is_authorized(request):
            return _refuse_token()
        try:
            products = await read_products(request, ProductConfig.parse)
        except (ConfigError, OrderError) as error:
            return refuse(400, "BAD_PRODUCTS", str(error))
        loaded = [load_product(self.state, product) for product in products]
        return JsonResponse({"loaded": len(loaded), "offers": {o.sku: _render_offer(o) for o in loaded}}, 201)

    async def show_health(self, request: Request) -> Response:
        return JsonResponse({"status": "ok"})

    def _is_authorized(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.state.config.token.encode())


def _refuse_token() -> JsonResponse:
    return refuse(401, "UNAUTHORIZED", "send the sandbox's token as Authorization: Bearer")


def _render_offer(offer: Offer) -> dict[str, str]:
    reference = f"{offer.offer_id}/{offer.listing_id}"
    return {"offer_id": offer.offer_id, "listing_id": offer.listing_id, "reference": reference}


def _render_receipt(order: Order) -> dict[str, Any]:
    return {
        "id": order.order_id,
        "name": order.order_id,
        "order_number": order.index,
        "at": order.created_at,
        "total": order.total,
        "paid": order.paid,
        "cancel": order.cancel,
        "lines": [{"id": line.line_item_id, "sku": line.sku, "quantity": line.quantity} for line in order.lines],
        "shipments": [
            {"id": f.fulfillment_id, "carrier": f.carrier, "tracking": f.tracking, "lines": f.lines}
            for f in order.fulfillments
        ],
    }
