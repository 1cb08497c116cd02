"""The doors around the APIs: the page, the till, and what tests and the demo set up, break and read."""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from adapters.sandbox.ebay.change_order import cancel_order, find_order, pay_order
from adapters.sandbox.ebay.change_stock import change_outside
from adapters.sandbox.ebay.config import PRODUCTS_MAX, ConfigError, ProductConfig
from adapters.sandbox.ebay.deliver_notifications import Postman
from adapters.sandbox.ebay.inject_faults import Faults
from adapters.sandbox.ebay.issue_tokens import Tokens
from adapters.sandbox.ebay.place_order import place_order, read_cart
from adapters.sandbox.ebay.serve_page import render_page
from adapters.sandbox.ebay.state import Offer, Order, State, load_product, shown_quantity
from adapters.sandbox.faults import FaultError
from adapters.sandbox.read_body import OrderError, go_back, read_cart_form, read_json, read_object
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
        """JSON for scripts (201, or the refusal's status); a form for people (back to the page)."""
        body = await request.body()
        # curl calls any body a form unless told otherwise, so a body that opens like JSON is JSON.
        kind = request.headers.get("content-type", "")
        is_form = kind.startswith("application/x-www-form-urlencoded") and not body.lstrip().startswith(b"{")
        try:
            order = place_order(self.state, read_cart(read_cart_form(body) if is_form else read_json(body)))
        except OrderError as error:
            return go_back(str(error), bad=True) if is_form else _refuse(error.status, error.code, str(error))
        if is_form:
            return go_back(f"Thank you: order {order.order_id} is placed.")
        return JsonResponse(_render_receipt(order), 201)

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
            return _refuse(error.status, error.code, str(error))
        return JsonResponse(_render_receipt(order))

    async def show_state(self, request: Request) -> Response:
        """`?since=<seconds>` leaves out older orders and writes; times are of the sandbox's own clock."""
        try:
            oldest = float(request.query_params.get("since", "0"))
        except ValueError:
            return _refuse(400, "BAD_SINCE", "since is a time in seconds")
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
        """Replaces all faults, or adds one when `kind` is given: {"kind": "lost_reply", "count": 2}.

        Two keys act instead: `oversell` is switched, `outside_changes` are done.
        """
        if not self._is_authorized(request):
            return _refuse_token()
        raw = read_object(await request.body())
        if raw is None:
            return _refuse(400, "BAD_FAULTS", "send an object of faults")
        oversell, changes = raw.pop("oversell", self.state.oversell), raw.pop("outside_changes", [])
        if not isinstance(oversell, bool) or not _are_changes(self.state, changes):
            return _refuse(400, "BAD_FAULTS", "oversell is a boolean; outside_changes are [{sku, delta}]")
        try:
            if "kind" in raw:
                self.faults.add_counted(raw)
            elif raw or not changes:
                self.faults.replace(raw)
        except FaultError as error:
            return _refuse(400, "BAD_FAULTS", str(error))
        self.state.oversell = oversell
        for change in changes:
            change_outside(self.state, change["sku"], change["delta"])
        return JsonResponse(self.faults.render())

    async def load_products(self, request: Request) -> Response:
        """Adds or renames products: [{sku, title, price, barcode, quantity, group}]; all of them or none."""
        if not self._is_authorized(request):
            return _refuse_token()
        try:
            raw = read_json(await request.body())
            if not isinstance(raw, list) or len(raw) > PRODUCTS_MAX or not all(isinstance(e, dict) for e in raw):
                raise ConfigError(f"send a list of at most {PRODUCTS_MAX} products")
            products = [ProductConfig.parse(entry) for entry in raw]
        except (ConfigError, OrderError) as error:
            return _refuse(400, "BAD_PRODUCTS", str(error))
        loaded = [load_product(self.state, product) for product in products]
        return JsonResponse({"loaded": len(loaded), "offers": {o.sku: _render_offer(o) for o in loaded}}, 201)

    async def show_health(self, request: Request) -> Response:
        return JsonResponse({"status": "ok"})

    def _is_authorized(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.state.config.token.encode())


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status)


def _refuse_token() -> JsonResponse:
    return _refuse(401, "UNAUTHORIZED", "send the sandbox's token as Authorization: Bearer")


def _are_changes(state: State, changes: Any) -> bool:
    return isinstance(changes, list) and all(
        isinstance(change, dict) and change.get("sku") in state.items and isinstance(change.get("delta"), int)
        for change in changes
    )


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
