"""Sell Inventory API v1, reads: items by page number, items in bulk, offers of a SKU; publish and withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.ebay.change_stock import end_listing
from adapters.sandbox.ebay.refuse import ApiError, describe_error
from adapters.sandbox.ebay.render_item import render_item, render_offer
from adapters.sandbox.ebay.serve_api import Answer, Call, read_whole
from adapters.sandbox.ebay.state import Offer, State, publish_offer

PAGE_DEFAULT, PAGE_MAX = 25, 200
OFFERS_PAGE_DEFAULT = 100
BULK_MAX = 25


@dataclass(frozen=True, slots=True)
class Inventory:
    state: State

    def get_item(self, call: Call) -> Answer:
        item = self.state.items.get(call.path["sku"])
        if item is None:
            raise ApiError(404, 25710, "We didn't find the resource/entity you are requesting.")
        return Answer(render_item(item, "groupIds"))

    def get_items(self, call: Call) -> Answer:
        """`offset` is the number of the page, not of the record."""
        limit, page = _read_page(call, PAGE_DEFAULT, PAGE_MAX)
        items = list(self.state.items.values())
        shown = [render_item(item, "groupIds") for item in items[page * limit : (page + 1) * limit]]
        pages = -(-len(items) // limit)
        body = {"inventoryItems": shown, "limit": limit, "total": len(items), "size": pages}
        return Answer({**body, **_link(call, limit, page, pages)})

    def get_items_in_bulk(self, call: Call) -> Answer:
        requests = call.body.get("requests") if isinstance(call.body, dict) else None
        if not isinstance(requests, list) or not requests:
            raise ApiError(400, 25709, "Invalid request. Invalid value for field requests")
        if len(requests) > BULK_MAX:
            raise ApiError(400, 25727, f"The number of InventoryItems in the request cannot exceed {BULK_MAX}.")
        skus = [wanted.get("sku") if isinstance(wanted, dict) else None for wanted in requests]
        if not all(isinstance(sku, str) and sku for sku in skus):
            raise ApiError(400, 25708, "Invalid SKU.")
        if len(set(skus)) != len(skus):
            raise ApiError(400, 25734, "SKU should be unique in the request.")
        responses = [self._render_bulk(str(sku)) for sku in skus]
        failed = any(entry["statusCode"] != 200 for entry in responses)
        return Answer({"responses": responses}, 207 if failed else 200)

    def _render_bulk(self, sku: str) -> dict[str, Any]:
        item = self.state.items.get(sku)
        if item is None:
            error = describe_error(25702, f"SKU {sku} is not available in the system")
            return {"sku": sku, "statusCode": 404, "errors": [error]}
        return {"sku": sku, "statusCode": 200, "inventoryItem": render_item(item, "inventoryItemGroupKeys")}

    def get_offers(self, call: Call) -> Answer:
        sku = call.query.get("sku")
        if not sku:
            raise ApiError(400, 25709, "Invalid value for sku.")
        limit, page = _read_page(call, OFFERS_PAGE_DEFAULT, PAGE_MAX)
        offers = self.state.offers_by_sku.get(sku, [])
        if not offers:
            raise ApiError(404, 25713, "This Offer is not available.")
        shown = [render_offer(self.state, offer) for offer in offers[page * limit : (page + 1) * limit]]
        body = {"offers": shown, "limit": limit, "total": len(offers), "size": len(shown)}
        return Answer({**body, **_link(call, limit, page, -(-len(offers) // limit))})

    def get_offer(self, call: Call) -> Answer:
        return Answer(render_offer(self.state, self._find(call)))

    def publish(self, call: Call) -> Answer:
        offer = self._find(call)
        if offer.ended:
            publish_offer(self.state, offer)
        return Answer({"listingId": offer.listing_id})

    def withdraw(self, call: Call) -> Answer:
        offer = self._find(call)
        end_listing(self.state, offer)
        return Answer({"listingId": offer.listing_id})

    def _find(self, call: Call) -> Offer:
        offer = self.state.offers.get(call.path["offer_id"])
        if offer is None:
            raise ApiError(404, 25713, "This Offer is not available.")
        return offer


def _read_page(call: Call, default: int, most: int) -> tuple[int, int]:
    limit, page = read_whole(call.query.get("limit"), default), read_whole(call.query.get("offset"), 0)
    if limit is None or page is None or not 1 <= limit <= most:
        raise ApiError(400, 25706, f"You have provided invalid pagination values. limit is from 1 to {most}.")
    return limit, page


def _link(call: Call, limit: int, page: int, pages: int) -> dict[str, str]:
    base = call.url.partition("?")[0]
    rest = "".join(f"&{name}={value}" for name, value in call.query.items() if name not in {"limit", "offset"})
    links = {"href": f"{base}?limit={limit}&offset={page}{rest}"}
    if page + 1 < pages:
        links["next"] = f"{base}?limit={limit}&offset={page + 1}{rest}"
    if page > 0:
        links["prev"] = f"{base}?limit={limit}&offset={page - 1}{rest}"
    return links
