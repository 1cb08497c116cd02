"""The Listings Items API 2021-08-01: read one, search, patch."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import orjson

from adapters.sandbox.amazon.answer_calls import ApiError, Call, check_choice, check_query, refuse_input
from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import Listing, now, shown_quantity, write_time
from adapters.sandbox.amazon.submit_patches import is_patch_list, judge_patches, submit_patches

IDENTIFIERS_MAX = 20
PAGE_MAX = 20
PAGE_DEFAULT = 10
DATA_SETS = frozenset(
    {"summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships"}
    | {"productTypes"}
)
READ_QUERY = frozenset({"marketplaceIds", "issueLocale", "includedData"})
PATCH_QUERY = frozenset({"marketplaceIds", "issueLocale", "includedData", "mode"})
SEARCH_QUERY = READ_QUERY | {"identifiers", "identifiersType", "sortBy", "sortOrder", "pageSize", "pageToken"}
SORT_KEYS = frozenset({"sku", "createdDate", "lastUpdatedDate"})


def _check_place(market: Market, call: Call) -> None:
    """Raises ApiError 400 or 403."""
    if call.path["seller_id"] != market.config.seller_id:
        raise ApiError(403, "Unauthorized", "Access to requested resource is denied.", "Another seller's listings.")
    if call.list_of("marketplaceIds") != [market.config.marketplace_id]:
        raise refuse_input("The sandbox has one marketplace: name it in marketplaceIds.")


def get_item(market: Market, call: Call) -> dict[str, Any]:
    check_query(call, READ_QUERY)
    check_choice(call, "includedData", DATA_SETS)
    _check_place(market, call)
    listing = market.state.listings.get(call.path["sku"])
    if listing is None:
        raise ApiError(404, "NOT_FOUND", f"SKU '{call.path['sku'][:100]}' not found in the marketplace.")
    return render_item(market, listing, call.list_of("includedData") or ["summaries"])


def patch_item(market: Market, call: Call) -> dict[str, Any]:
    """200 whether the submission is accepted or invalid."""
    check_query(call, PATCH_QUERY)
    check_choice(call, "includedData", frozenset({"identifiers", "issues"}))
    check_choice(call, "mode", frozenset({"VALIDATION_PREVIEW"}))
    _check_place(market, call)
    raw, sku = call.read_object(), call.path["sku"]
    product_type, patches = raw.get("productType"), raw.get("patches")
    if not isinstance(product_type, str) or not product_type or not is_patch_list(patches):
        raise refuse_input("productType and patches are required.")
    issues = judge_patches(market, sku, product_type, patches)
    preview = call.query.get("mode") == "VALIDATION_PREVIEW"
    if not issues and not preview:
        submit_patches(market, sku, patches, submitted_at=now())
    accepted = "VALID" if preview else "ACCEPTED"
    return {
        "sku": sku,
        "status": "INVALID" if issues else accepted,
        "submissionId": uuid.uuid4().hex,
        "issues": [issue.render() for issue in issues],
    }


def search_items(market: Market, call: Call) -> dict[str, Any]:
    """Pages count from the start of a live list: sorted by time of change, they shift under the reader."""
    check_query(call, SEARCH_QUERY)
    check_choice(call, "includedData", DATA_SETS)
    check_choice(call, "sortBy", SORT_KEYS)
    check_choice(call, "sortOrder", frozenset({"ASC", "DESC"}))
    _check_place(market, call)
    size, start = _read_size(call), _read_token(call)
    if start and market.faults.strike(FaultKind.PAGE_SHIFT) and market.state.listings:
        min(market.state.listings.values(), key=lambda listing: listing.updated_at).updated_at = now()
    found = _sort(call, _find(market, call))
    page = found[start : start + size]
    included = call.list_of("includedData") or ["summaries"]
    answer: dict[str, Any] = {
        "numberOfResults": len(found),
        "items": [render_item(market, listing, included) for listing in page],
    }
    pagination = {}
    if start + size < len(found):
        pagination["nextToken"] = _write_token(call, start + size)
    if start:
        pagination["previousToken"] = _write_token(call, max(0, start - size))
    return {**answer, "pagination": pagination} if pagination else answer


def _find(market: Market, call: Call) -> list[Listing]:
    identifiers = call.list_of("identifiers")
    if not identifiers:
        return list(market.state.listings.values())
    if call.query.get("identifiersType") != "SKU":
        raise refuse_input("The sandbox finds by identifiersType SKU.")
    if len(identifiers) > IDENTIFIERS_MAX:
        raise refuse_input(f"At most {IDENTIFIERS_MAX} identifiers.")
    known = market.state.listings
    return [known[sku] for sku in dict.fromkeys(identifiers) if sku in known]


def _sort(call: Call, found: list[Listing]) -> list[Listing]:
    keys = {
        "sku": lambda listing: listing.sku,
        "createdDate": lambda listing: (listing.created_at, listing.index),
        "lastUpdatedDate": lambda listing: (listing.updated_at, listing.index),
    }
    descending = call.query.get("sortOrder", "DESC") == "DESC"
    return sorted(found, key=keys[call.query.get("sortBy", "lastUpdatedDate")], reverse=descending)


def _read_size(call: Call) -> int:
    size = call.query.get("pageSize", str(PAGE_DEFAULT))
    if not size.isdecimal() or not 1 <= int(size) <= PAGE_MAX:
        raise refuse_input(f"pageSize is from 1 to {PAGE_MAX}.")
    return int(size)


def _describe(call: Call) -> list[str]:
    """What a page token is good for: the same search."""
    return [call.query.get(name, "") for name in ("identifiers", "sortBy", "sortOrder", "pageSize")]


def _write_token(call: Call, start: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([start, *_describe(call)])).decode()


def _read_token(call: Call) -> int:
    token = call.query.get("pageToken")
    if token is None:
        return 0
    try:
        start, *described = orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise refuse_input("The pageToken is none of ours.") from None
    if described != _describe(call):
        raise refuse_input("Search parameters do not match the provided 'pageToken'.")
    return int(start)


def render_item(market: Market, listing: Listing, included: list[str]) -> dict[str, Any]:
    config = market.config
    sets: dict[str, Any] = {
        "summaries": [_render_summary(market, listing)],
        "attributes": _render_attributes(market, listing),
        "issues": [],
        "offers": [
            {
                "marketplaceId": config.marketplace_id,
                "offerType": "B2C",
                "price": {"currencyCode": config.currency, "amount": listing.price},
            }
        ],
        "fulfillmentAvailability": [
            {"fulfillmentChannelCode": code} | ({} if quantity is None else {"quantity": quantity})
            for code, quantity in listing.effective.items()
        ],
        "productTypes": [{"marketplaceId": config.marketplace_id, "productType": listing.product_type}],
    }
    return {"sku": listing.sku, **{name: sets[name] for name in included if name in sets}}


def _render_summary(market: Market, listing: Listing) -> dict[str, Any]:
    buyable = shown_quantity(market.state, listing) > 0
    return {
        "marketplaceId": market.config.marketplace_id,
        "asin": listing.asin,
        "productType": listing.product_type,
        "conditionType": "new_new",
        "status": ["BUYABLE", "DISCOVERABLE"] if buyable else ["DISCOVERABLE"],
        "itemName": listing.title,
        "createdDate": write_time(listing.created_at),
        "lastUpdatedDate": write_time(listing.updated_at),
    }


def _render_attributes(market: Market, listing: Listing) -> dict[str, Any]:
    place = {"marketplace_id": market.config.marketplace_id}
    attributes: dict[str, Any] = {
        "item_name": [{"value": listing.title, "language_tag": "en_US", **place}],
        "fulfillment_availability": listing.entries,
    }
    if listing.barcode is not None:
        identifier = {"type": "ean", "value": listing.barcode, **place}
        attributes["externally_assigned_product_identifier"] = [identifier]
    return attributes
