"""Global ids as the vendor writes them: gid://shopify/<Type>/<number>.

Each type counts from its own base, far above 2**32 and below 2**53, so that a client that stores an id in
32 bits, or mixes up two types, is found out here.
"""

from __future__ import annotations

import re

BASES = {
    "Shop": 70_000_000_000,
    "Location": 65_000_000_000,
    "Product": 8_100_000_000_000,
    "ProductVariant": 44_000_000_000_000,
    "InventoryItem": 46_000_000_000_000,
    "Order": 5_600_000_000_000,
    "LineItem": 14_200_000_000_000,
    "FulfillmentOrder": 6_900_000_000_000,
    "FulfillmentOrderLineItem": 15_600_000_000_000,
    "Fulfillment": 5_200_000_000_000,
    "FulfillmentLineItem": 11_300_000_000_000,
    "Refund": 940_000_000_000,
    "Return": 12_300_000_000,
    "ReturnLineItem": 23_400_000_000,
    "ExchangeLineItem": 34_500_000_000,
    "OrderTransaction": 6_700_000_000_000,
    "OrderEdit": 78_900_000_000,
    "CalculatedOrder": 79_900_000_000,
    "WebhookSubscription": 1_200_000_000_000,
    "InventoryAdjustmentGroup": 3_300_000_000_000,
    "MailingAddress": 9_400_000_000_000,
    "Customer": 7_300_000_000_000,
}

_GID = re.compile(r"gid://shopify/([A-Za-z]+)/(\d{1,19})(?:\?inventory_item_id=(\d{1,19}))?")


def number_of(kind: str, index: int) -> int:
    """The vendor-like number of the index-th object of a kind, from 1."""
    return BASES[kind] + index


def index_of(kind: str, number: int) -> int:
    return number - BASES[kind]


def write_gid(kind: str, index: int) -> str:
    return f"gid://shopify/{kind}/{BASES[kind] + index}"


def write_level_gid(location: int, item: int) -> str:
    """An inventory level is named by its location and, in the query part, its item."""
    location_number, item_number = number_of("Location", location), number_of("InventoryItem", item)
    return f"gid://shopify/InventoryLevel/{location_number}?inventory_item_id={item_number}"


def read_gid(kind: str, gid: str) -> int | None:
    """The index behind a gid of that kind, or None when it is none."""
    match = _GID.fullmatch(gid)
    if match is None or match[1] != kind or match[3] is not None:
        return None
    return index_of(kind, int(match[2]))


def read_level_gid(gid: str) -> tuple[int, int] | None:
    """(location, item) behind an inventory level's gid, or None."""
    match = _GID.fullmatch(gid)
    if match is None or match[1] != "InventoryLevel" or match[3] is None:
        return None
    return index_of("Location", int(match[2])), index_of("InventoryItem", int(match[3]))


def kind_of(gid: str) -> str | None:
    match = _GID.fullmatch(gid)
    return match[1] if match else None
