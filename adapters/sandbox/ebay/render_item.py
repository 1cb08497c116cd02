"""Inventory items and offers as the Inventory API 1.18 shows them."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.ebay.state import Item, Offer, State

LOCALE = "en_US"


def render_item(item: Item, groups_name: str) -> dict[str, Any]:
    """`groups_name`: the field that lists the groups has another name in a bulk answer."""
    product: dict[str, Any] = {"title": item.title, "description": item.title}
    if item.barcode:
        product["upc" if len(item.barcode) == 12 else "ean"] = [item.barcode]
    shown: dict[str, Any] = {
        "sku": item.sku,
        "locale": LOCALE,
        "condition": "NEW",
        "product": product,
        "availability": {"shipToLocationAvailability": {"quantity": item.quantity}},
    }
    return {**shown, groups_name: [item.group]} if item.group else shown


def render_offer(state: State, offer: Offer) -> dict[str, Any]:
    item, config = state.items[offer.sku], state.config
    return {
        "offerId": offer.offer_id,
        "sku": offer.sku,
        "marketplaceId": config.marketplace,
        "format": "FIXED_PRICE",
        "availableQuantity": offer.available,
        "categoryId": "30120",
        "hideBuyerDetails": False,
        "includeCatalogProductDetails": True,
        "listingDescription": item.title,
        "listingDuration": "GTC",
        "listingPolicies": {"fulfillmentPolicyId": "1", "paymentPolicyId": "2", "returnPolicyId": "3"},
        "merchantLocationKey": "sandbox",
        "pricingSummary": {"price": {"value": item.price, "currency": config.currency}},
        "status": "UNPUBLISHED" if offer.ended else "PUBLISHED",
        **({} if offer.ended else {"listing": _render_listing(item, offer)}),
    }


def _render_listing(item: Item, offer: Offer) -> dict[str, Any]:
    in_stock = min(item.quantity, offer.available) > 0
    status = "ACTIVE" if in_stock else "OUT_OF_STOCK"
    return {"listingId": offer.listing_id, "listingStatus": status, "soldQuantity": offer.sold}
