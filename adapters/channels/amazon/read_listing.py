"""What an item of the Listings API says: what it sells, and the terms a write of its quantity must keep.

`attributes` are what was submitted, `fulfillmentAvailability` is what Amazon sells from: a quantity is read from the
second only.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from adapters.channels.amazon.connection import AmazonConnection
from adapters.channels.base import ChannelItem

TERMS_MAX = 50_000
TERMS_SECONDS = 3_600.0
KNOWN_FIELDS = frozenset({"fulfillment_channel_code", "quantity", "lead_time_to_ship_max_days", "marketplace_id"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a quantity is written together with.

    `whole`: the entry has nothing but what is here, so it can be replaced. `foreign`: the code the listing is stocked
    under instead of ours; writing ours would add a second entry.
    """

    product_type: str | None = None
    lead_time_days: int | None = None
    whole: bool = False
    foreign: str | None = None


UNKNOWN = Terms()


def parse_reference(reference: str | None) -> Terms:
    """`LUGGAGE:3`: product type and lead time in days; `LUGGAGE:`: it has none; `LUGGAGE`: not known."""
    if not reference:
        return UNKNOWN
    product_type, colon, days = reference.partition(":")
    if colon and (not days or (days.isascii() and days.isdigit())):
        return Terms(product_type or None, int(days) if days else None, whole=True)
    return Terms(product_type or None)


def format_reference(terms: Terms) -> str | None:
    if terms.product_type is None:
        return None
    if not terms.whole:
        return terms.product_type
    return f"{terms.product_type}:{'' if terms.lead_time_days is None else terms.lead_time_days}"


def read_terms(item: dict[str, Any], connection: AmazonConnection) -> Terms:
    """Of an item read with `attributes`, and `productTypes` or `summaries`."""
    attributes = item.get("attributes")
    entries = [
        entry
        for entry in (attributes or {}).get("fulfillment_availability") or []
        if entry.get("marketplace_id") in (None, connection.marketplace_id)
    ]
    codes = [str(entry.get("fulfillment_channel_code")) for entry in entries]
    codes += [str(entry["fulfillmentChannelCode"]) for entry in item.get("fulfillmentAvailability") or []]
    product_type = _read_product_type(item, connection)
    if codes and connection.fulfillment_channel not in codes:
        return Terms(product_type, foreign=codes[0])
    matching = [entry for entry in entries if entry.get("fulfillment_channel_code") == connection.fulfillment_channel]
    ours: dict[str, Any] = matching[0] if matching else {}
    days = ours.get("lead_time_to_ship_max_days")
    plain = attributes is not None and ours.keys() <= KNOWN_FIELDS and (days is None or isinstance(days, int))
    return Terms(product_type, days if plain else None, whole=plain)


def _read_product_type(item: dict[str, Any], connection: AmazonConnection) -> str | None:
    for entry in [*(item.get("productTypes") or []), *(item.get("summaries") or [])]:
        if entry.get("marketplaceId") == connection.marketplace_id:
            return str(entry["productType"])
    return None


def read_quantity(item: dict[str, Any], connection: AmazonConnection) -> int | None:
    """What Amazon sells from under our code; None when it says nothing about it."""
    for entry in item.get("fulfillmentAvailability") or []:
        if entry["fulfillmentChannelCode"] == connection.fulfillment_channel and "quantity" in entry:
            return int(entry["quantity"])
    return None


def read_item(item: dict[str, Any], connection: AmazonConnection) -> ChannelItem:
    sku = str(item["sku"])
    summaries = item.get("summaries") or []
    named = [entry for entry in summaries if entry.get("marketplaceId") == connection.marketplace_id] or summaries
    return ChannelItem(
        external_id=sku,
        sku=sku,
        barcode=_read_barcode(item),
        title=named[0].get("itemName") if named else None,
        quantity=read_quantity(item, connection),
        reference=format_reference(read_terms(item, connection)),
    )


def _read_barcode(item: dict[str, Any]) -> str | None:
    for entry in (item.get("attributes") or {}).get("externally_assigned_product_identifier") or []:
        if entry.get("value"):
            return str(entry["value"])
    return None


def render_patch(quantity: int, terms: Terms, connection: AmazonConnection) -> dict[str, Any]:
    """`productType` and `patches` that set the quantity and leave the rest as it is.

    `replace` drops what it does not repeat, so it is only for an entry known whole; `merge` is the vendor's own way to
    leave the other fields alone (since June 2025). Both need the channel's code: it selects the entry.
    """
    value: dict[str, Any] = {"fulfillment_channel_code": connection.fulfillment_channel, "quantity": quantity}
    if terms.lead_time_days is not None:
        value["lead_time_to_ship_max_days"] = terms.lead_time_days
    operation = "replace" if terms.whole else "merge"
    patch = {"op": operation, "path": "/attributes/fulfillment_availability", "value": [value]}
    return {"productType": terms.product_type or connection.product_type, "patches": [patch]}


@dataclass(slots=True)
class TermsBook:
    """Terms as last read from Amazon, for an hour: the seller may change them there."""

    known: OrderedDict[str, tuple[Terms, float]] = field(default_factory=OrderedDict)

    def recall(self, sku: str, now: float) -> Terms | None:
        terms, read_at = self.known.get(sku, (None, 0.0))
        return terms if now - read_at < TERMS_SECONDS else None

    def remember(self, sku: str, terms: Terms, now: float) -> None:
        self.known[sku] = (terms, now)
        self.known.move_to_end(sku)
        while len(self.known) > TERMS_MAX:
            self.known.popitem(last=False)
