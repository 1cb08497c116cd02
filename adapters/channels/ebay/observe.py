"""Read quantities back: the item's total in bulk, and each offer, since a listing sells the smaller of both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from adapters.channels.base import ListingRef, Observation
from adapters.channels.ebay.announce_limits import INVENTORY
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import fault_of, read_errors
from adapters.channels.ebay.read_offers import Offer, gather_few, read_offer
from adapters.channels.ebay.request import Request, as_object
from adapters.channels.ebay.set_quantities import read_reference
from domain.errors import CauseClass, Fault

PATH = "/sell/inventory/v1/bulk_get_inventory_item"
ITEMS_MAX = 25
ITEM_UNKNOWN = frozenset({25702, 25710})


async def observe(client: EbayClient, refs: Sequence[ListingRef]) -> list[Observation]:
    """One observation for each reference, in order. Raises `Fault`: what could not be read is not unknown."""
    skus = list(dict.fromkeys(ref.external_id for ref in refs))
    totals: dict[str, int | None] = {}
    for start in range(0, len(skus), ITEMS_MAX):
        totals |= await _read_totals(client, skus[start : start + ITEMS_MAX])
    offer_ids = {ref: read_reference(ref.external_id, ref.reference).offer_id for ref in refs}
    wanted = sorted(
        {offer_id for ref, offer_id in offer_ids.items() if offer_id and totals[ref.external_id] is not None}
    )
    offers = dict(zip(wanted, await gather_few(partial(read_offer, client), wanted), strict=True))
    return [_observe_one(ref, totals[ref.external_id], offer_ids[ref], offers) for ref in refs]


def _observe_one(
    ref: ListingRef, total: int | None, offer_id: str | None, offers: dict[str, Offer | None]
) -> Observation:
    if total is None or offer_id is None:
        return Observation(ref.external_id, total, ref.location)
    offer = offers[offer_id]
    return Observation(ref.external_id, None if offer is None else offer.shown_quantity(total), ref.location)


async def _read_totals(client: EbayClient, skus: Sequence[str]) -> dict[str, int | None]:
    """None for an item that eBay does not have."""
    body = {"requests": [{"sku": sku} for sku in skus]}
    reply = await client.call(Request("POST", PATH, INVENTORY, body=body))
    responses = as_object(reply.body).get("responses") or []
    entries = {entry.get("sku"): entry for entry in responses if isinstance(entry, dict)}
    return {sku: _read_total(sku, entries.get(sku)) for sku in skus}


def _read_total(sku: str, entry: dict[str, Any] | None) -> int | None:
    if entry is None:
        raise Fault(f"eBay's answer left {sku} out.", transient=True, cause=CauseClass.OUTAGE)
    status = entry.get("statusCode")
    if any(error.error_id in ITEM_UNKNOWN for error in read_errors(entry)) or status == 404:
        return None
    if status != 200:
        raise fault_of(status if isinstance(status, int) else 500, entry)
    return read_quantity(entry.get("inventoryItem"))


def read_quantity(item: Any) -> int:
    """An item whose quantity was never set sells nothing."""
    availability = as_object(as_object(item).get("availability"))
    quantity = as_object(availability.get("shipToLocationAvailability")).get("quantity")
    return quantity if isinstance(quantity, int) else 0
