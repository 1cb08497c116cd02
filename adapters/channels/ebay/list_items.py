"""Everything the seller has, page by page, with the offer each item is listed as: what matching goes by.

The page number is eBay's: an item that goes while pages are read moves the rest, so a list is complete only when
nothing changed meanwhile. Matching is run again anyway.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from adapters.channels.base import ChannelItem, ItemPage
from adapters.channels.ebay.announce_limits import INVENTORY
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.observe import read_quantity
from adapters.channels.ebay.read_offers import Offer, find_offers, gather_few
from adapters.channels.ebay.request import Request, as_object
from domain.errors import CauseClass, Fault

PATH = "/sell/inventory/v1/inventory_item"
PAGE_ITEMS = 50
PAGES_MAX = 20_000
BARCODES = ("ean", "upc", "isbn")


async def list_items(client: EbayClient, cursor: str | None) -> ItemPage:
    """Raises `Fault`. The cursor is the page number."""
    page = _read_cursor(cursor)
    params = {"limit": str(PAGE_ITEMS), "offset": str(page)}
    reply = await client.call(Request("GET", PATH, INVENTORY, params=params))
    body = as_object(reply.body)
    items = [item for item in body.get("inventoryItems") or [] if isinstance(item, dict) and item.get("sku")]
    offers = await gather_few(partial(find_offers, client), [item["sku"] for item in items])
    more = bool(body.get("next")) and page + 1 < PAGES_MAX
    found = tuple(_read_item(item, own) for item, own in zip(items, offers, strict=True))
    return ItemPage(found, str(page + 1) if more else None)


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdecimal():
        raise Fault("That is no cursor of a list of items.", transient=False, cause=CauseClass.VALIDATION)
    return int(cursor)


def _read_item(item: dict[str, Any], offers: list[Offer]) -> ChannelItem:
    """A live fixed-price offer before any other: an auction's number is not ours to set."""
    fixed = sorted((offer for offer in offers if offer.fixed_price), key=lambda offer: not offer.live)
    product = as_object(item.get("product"))
    # Sellers write "Does not apply" where eBay insists on a code.
    codes = [str(code) for name in BARCODES for code in product.get(name) or [] if str(code).isdecimal()]
    total = read_quantity(item)
    return ChannelItem(
        external_id=item["sku"],
        sku=item["sku"],
        barcode=codes[0] if codes else None,
        title=product.get("title"),
        quantity=fixed[0].shown_quantity(total) if fixed else total,
        reference=fixed[0].reference if fixed else None,
    )
