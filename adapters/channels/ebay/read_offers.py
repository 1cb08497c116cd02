"""What a SKU is offered as: the live offer, and the number that buyers see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from adapters.channels.base import Throttled
from adapters.channels.ebay.announce_limits import INVENTORY
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import EbayFault
from adapters.channels.ebay.request import Request, as_object
from domain.errors import Fault

OFFER_PATH = "/sell/inventory/v1/offer"
OFFER_UNKNOWN = 25713
TOGETHER_MAX = 6
TRIES_MAX = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """`available`: on this marketplace; None when the item's total alone counts. `live`: buyers can find it."""

    offer_id: str
    listing_id: str | None
    available: int | None
    live: bool
    fixed_price: bool

    @property
    def reference(self) -> str:
        return f"{self.offer_id}/{self.listing_id}" if self.listing_id else self.offer_id

    def shown_quantity(self, total: int) -> int:
        """A listing sells the smaller of the two numbers; one that ended sells nothing."""
        if not self.live:
            return 0
        return total if self.available is None else min(total, self.available)


async def read_offer(client: EbayClient, offer_id: str) -> Offer | None:
    """None when eBay has no such offer. Raises `Fault`."""
    path = f"{OFFER_PATH}/{quote(offer_id, safe='')}"
    try:
        reply = await client.call(Request("GET", path, INVENTORY))
    except EbayFault as fault:
        if fault.status == 404 or OFFER_UNKNOWN in fault.error_ids:
            return None
        raise
    return parse_offer(reply.body)


async def find_offers(client: EbayClient, sku: str) -> list[Offer]:
    """The offers of a SKU, on one page: eBay allows two. Raises `Fault`."""
    try:
        reply = await client.call(Request("GET", OFFER_PATH, INVENTORY, params={"sku": sku}))
    except EbayFault as fault:
        if fault.status == 404 or OFFER_UNKNOWN in fault.error_ids:
            return []
        raise
    raw = as_object(reply.body).get("offers") or []
    return [offer for entry in raw if (offer := parse_offer(entry)) is not None]


def parse_offer(raw: Any) -> Offer | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("offerId"), str):
        return None
    listing = as_object(raw.get("listing"))
    live = raw.get("status") == "PUBLISHED" and listing.get("listingStatus") not in {"ENDED", "EBAY_ENDED", "INACTIVE"}
    available = raw.get("availableQuantity")
    return Offer(
        raw["offerId"],
        listing.get("listingId"),
        available if isinstance(available, int) else None,
        live,
        raw.get("format") == "FIXED_PRICE",
    )


async def gather_few(work: Callable[[str], Awaitable[T]], items: Iterable[str]) -> list[T]:
    """What is read of each item, in order, a few at a time. The first lasting failure ends the others.

    A read that failed in passing is tried again at once: of many reads one always fails, and would waste all.
    """
    gate = asyncio.Semaphore(TOGETHER_MAX)

    async def wait_turn(item: str) -> T:
        async with gate:
            for _ in range(TRIES_MAX - 1):
                try:
                    return await work(item)
                except Fault as fault:
                    if not fault.transient or isinstance(fault, Throttled):
                        raise
            return await work(item)

    tasks = [asyncio.create_task(wait_turn(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
