"""Reading listings: a page is one statement, by channel and SKU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from app.channels.listing_state import EXPOSURE, LISTING_COLUMNS, OF_LISTING, STATE, STOCK_OF_LISTING, STOCK_OF_LISTINGS
from app.channels.read_channels import CHANNEL_COLUMNS
from app.channels.see_channels import see_channels
from app.conditions import Conditions
from app.stock.read_stock import SKU_COLUMNS
from domain.identity import Principal

LISTINGS = f"""
SELECT {LISTING_COLUMNS}, {CHANNEL_COLUMNS}, {SKU_COLUMNS} FROM listings l {OF_LISTING} {STOCK_OF_LISTING}
"""  # noqa: S608
_COUNT = f"SELECT count(*) FROM listings l {OF_LISTING}"  # noqa: S608
ORDER = "ORDER BY l.channel_id, l.sku_id, l.id"
Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """None leaves a filter out. `skus`: codes or barcodes. `exposed`: only those a channel may oversell now."""

    channel: str | None = None
    skus: Sequence[str] | None = None
    states: Sequence[str] | None = None
    exposed: bool = False


async def read_listings(
    database: Database, principal: Principal, chosen: ListingFilter, after: Key, limit: int
) -> Sequence[Any]:
    """Listings with channel and SKU, after (channel id, SKU id, listing id), at most `limit`."""
    found = _choose(await see_channels(database.hot, principal), chosen)
    if any(after):
        found.add("(l.channel_id, l.sku_id, l.id) > ({}::bigint, {}::bigint, {}::bigint)", *after)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{LISTINGS} {found.where} {ORDER} LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_listings(database: Database, principal: Principal, chosen: ListingFilter) -> int:
    found = _choose(await see_channels(database.hot, principal), chosen)
    stock = STOCK_OF_LISTINGS if chosen.exposed else ""
    return int(await database.hot.fetchval(f"{_COUNT} {stock} {found.where}", *found.values))


def _choose(visible: list[int] | None, chosen: ListingFilter) -> Conditions:
    found = Conditions()
    if visible is not None:
        found.add("l.channel_id = ANY({}::int[])", visible)
    if chosen.channel is not None:
        found.add("c.code = {}", chosen.channel)
    if chosen.skus is not None:
        found.add("(s.code = ANY({0}::text[]) OR s.barcode = ANY({0}::text[]))", list(chosen.skus))
    if chosen.states is not None:
        found.add(f"({STATE}) = ANY({{}}::text[])", list(chosen.states))
    if chosen.exposed:
        found.add(f"{EXPOSURE} > 0")
    return found


async def read_listings_by_ids(connection: Any, ids: Sequence[int]) -> Sequence[Any]:
    """Whatever their channel: the caller knows that they may be seen."""
    rows: Sequence[Any] = await connection.fetch(f"{LISTINGS} WHERE l.id = ANY($1::bigint[]) {ORDER}", list(ids))
    return rows


async def read_listing(database: Database, principal: Principal, listing_id: int) -> Any:
    """One listing; None when there is none that the principal may see."""
    rows = await read_listings_by_ids(database.hot, [listing_id])
    visible = await see_channels(database.hot, principal)
    return rows[0] if rows and (visible is None or rows[0]["channel_id"] in visible) else None
