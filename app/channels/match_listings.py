"""Link what a channel lists to our SKUs, as far as there is no doubt, and say what people must look at.

What the channel lists is read first, outside any transaction; the decision is made on what we know when it is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.channels.base import ChannelItem, Throttled
from adapters.postgres.idempotency import IdempotentCall
from app.batches import BATCH_LINES, split_batches
from app.catalog.find_skus import find_skus
from app.channels.answer_listings import answer_listings
from app.channels.find_listings import read_links, read_locations
from app.channels.link_listing import ListingLink, link_listings
from app.channels.run_channels import read_channel
from app.channels.see_channels import find_channel
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Fault, Refusal, RefusalCode
from domain.identity import Principal
from domain.match_items import Candidate, Item, Known, Matching, match_items

ITEMS_MAX = 100_000
PAGES_MAX = 20_000
WAIT_SECONDS_MAX = 5.0
_LINKED = """
SELECT l.id FROM unnest($2::text[], $3::text[]) AS g (external_id, location)
JOIN listings l ON l.channel_id = $1 AND l.external_id = g.external_id AND l.location = g.location ORDER BY l.id
"""


@dataclass(frozen=True, slots=True)
class ReadItems:
    """`cursor`: goes on from here; None when the channel has told everything."""

    items: list[ChannelItem]
    cursor: str | None


async def read_items(
    state: State, principal: Principal, channel: str, cursor: str | None, seconds: float, items_max: int = ITEMS_MAX
) -> ReadItems:
    """What the channel lists, page by page, for about `seconds` or `items_max` items.

    Raises `Refusal` CHANNEL_NOT_FOUND, INVALID_INPUT for a channel that lists nothing (direct B2B); `Fault` when the
    channel does not answer.
    """
    await find_channel(state.database.hot, principal, channel)
    adapter = state.channels.open(await read_channel(state, channel)).adapter
    if adapter is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "Such a channel lists nothing by itself.", ("channel",))
    items: list[ChannelItem] = []
    end = time.monotonic() + seconds
    for _ in range(PAGES_MAX):
        try:
            page = await adapter.list_items(cursor)
        except Throttled as throttled:
            if time.monotonic() + throttled.wait_seconds > end:
                return ReadItems(items, cursor or "")
            await asyncio.sleep(min(throttled.wait_seconds, WAIT_SECONDS_MAX))
            continue
        items += page.items
        cursor = page.cursor
        if cursor is None or len(items) >= items_max or time.monotonic() > end:
            break
    return ReadItems(items, cursor)


async def match_listings(
    state: State,
    principal: Principal,
    channel: str,
    items: Sequence[ChannelItem],
    call: IdempotentCall | None,
    *,
    dry_run: bool,
    cursor: str | None = None,
) -> Answer:
    """Of the answer `listings` that were linked, how many were `known`, and `review`: items left to people.

    On a dry run nothing is linked, and `linked` says how many would be. `cursor` is kept with the answer.
    Raises `Refusal` CHANNEL_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, channel, lock=True)
        matching = await _match(connection, channel_id, items)
        ids: list[int] = []
        if not dry_run:
            for some in split_batches(matching.links):
                links = [_link(one.sku.code, one.item, one.location) for one in some]
                await link_listings(connection, channel_id, links)
                places = [link.external_id for link in links], [link.location for link in links]
                ids += [row[0] for row in await connection.fetch(_LINKED, channel_id, *places)]
        review = [{**_plain(one.item), "reason": one.reason} for one in matching.review]
        counts = {"linked": len(matching.links), "known": matching.known, "review": review, "cursor": cursor}
        return {**counts, **await answer_listings(connection, ids[:BATCH_LINES])}

    answer = await run_once(state.database, call, decide)
    for bell in ("push", "feed"):
        state.doorbell.ring(bell)
    return answer


async def match_all(state: State, principal: Principal, channel: str, *, dry_run: bool, seconds: float) -> Answer:
    """Everything the channel lists at once. Raises also a `Fault` when it cannot be read within `seconds`."""
    found = await read_items(state, principal, channel, None, seconds)
    if found.cursor is not None:
        raise Fault(f"The channel lists more than could be read in {seconds:.0f} seconds.", transient=True)
    return await match_listings(state, principal, channel, found.items, None, dry_run=dry_run)


async def _match(connection: Any, channel_id: int, items: Sequence[ChannelItem]) -> Matching:
    by_code: dict[str, Candidate] = {}
    by_barcode: dict[str, Candidate] = {}
    words = sorted({word for item in items for word in (item.sku, item.barcode) if word})
    for some in split_batches(words):
        for sku in (await find_skus(connection, some)).values():
            candidate = Candidate(sku.id, sku.code, sku.status == "ARCHIVED")
            by_code[sku.code] = candidate
            if sku.barcode is not None:
                by_barcode[sku.barcode] = candidate
    linked = await read_links(connection, channel_id)
    locations = frozenset(await read_locations(connection, channel_id))
    return match_items([_item(item) for item in items], Known(by_code, by_barcode, linked, locations))


def _item(item: ChannelItem) -> Item:
    return Item(item.external_id, item.sku, item.barcode, item.title, item.location, item.reference)


def _link(code: str, item: Item, location: str) -> ListingLink:
    return ListingLink(code, item.external_id, location, item.reference)


def _plain(item: Item) -> dict[str, Any]:
    return {
        "external_id": item.external_id,
        "location": item.location,
        "sku": item.sku,
        "barcode": item.barcode,
        "title": item.title,
    }
