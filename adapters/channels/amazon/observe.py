"""What Amazon sells from: read back for known listings, or listed page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.read_listing import TermsBook, read_item, read_quantity, read_terms
from adapters.channels.base import ItemPage, ListingRef, Observation
from domain.errors import CauseClass, Fault

SKUS_MAX = 20
PATIENCE_SECONDS = 2.0


async def observe(api: AmazonApi, refs: Sequence[ListingRef]) -> list[Observation]:
    """One observation per reference, in order. Raises `Fault`."""
    seen: dict[str, int | None] = {}
    # Identifiers travel in one comma-separated value, so a SKU with a comma in it has to be read by itself.
    plain = [ref.external_id for ref in refs if "," not in ref.external_id]
    for start in range(0, len(plain), SKUS_MAX):
        seen |= await _search(api, plain[start : start + SKUS_MAX])
    for ref in refs:
        if "," in ref.external_id:
            seen[ref.external_id] = await _read_one(api, ref.external_id)
    return [Observation(ref.external_id, seen.get(ref.external_id), ref.location) for ref in refs]


async def _search(api: AmazonApi, skus: Sequence[str]) -> dict[str, int | None]:
    found = await api.call(
        "searchListingsItems",
        "GET",
        write_path("listings", "2021-08-01", "items", api.connection.seller_id),
        params={
            "marketplaceIds": api.connection.marketplace_id,
            "identifiers": ",".join(skus),
            "identifiersType": "SKU",
            "includedData": "fulfillmentAvailability",
            "pageSize": str(SKUS_MAX),
        },
        patience_seconds=PATIENCE_SECONDS,
    )
    return {str(item["sku"]): read_quantity(item, api.connection) for item in found.get("items") or []}


async def _read_one(api: AmazonApi, sku: str) -> int | None:
    try:
        item = await api.call(
            "getListingsItem",
            "GET",
            write_path("listings", "2021-08-01", "items", api.connection.seller_id, sku),
            params={"marketplaceIds": api.connection.marketplace_id, "includedData": "fulfillmentAvailability"},
            patience_seconds=PATIENCE_SECONDS,
        )
    except Fault as fault:
        if fault.cause is CauseClass.MAPPING:
            return None
        raise
    return read_quantity(item, api.connection)


async def list_items(api: AmazonApi, book: TermsBook, cursor: str | None) -> ItemPage:
    """By SKU: sorted by the time of change, as the vendor does by default, pages would shift while we read."""
    params = {
        "marketplaceIds": api.connection.marketplace_id,
        "includedData": "summaries,attributes,fulfillmentAvailability,productTypes",
        "sortBy": "sku",
        "sortOrder": "ASC",
        "pageSize": str(SKUS_MAX),
    }
    if cursor is not None:
        params["pageToken"] = cursor
    found = await api.call(
        "searchListingsItems",
        "GET",
        write_path("listings", "2021-08-01", "items", api.connection.seller_id),
        params=params,
        patience_seconds=PATIENCE_SECONDS,
    )
    items = found.get("items") or []
    _remember(api, book, items)
    return ItemPage(
        tuple(read_item(item, api.connection) for item in items), (found.get("pagination") or {}).get("nextToken")
    )


def _remember(api: AmazonApi, book: TermsBook, items: Sequence[dict[str, Any]]) -> None:
    now = api.clock()
    for item in items:
        book.remember(str(item["sku"]), read_terms(item, api.connection), now)
