"""The listings that the lines of an input name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.catalog.find_skus import find_skus
from app.catalog.lookup import sku_not_found
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode

_FIND = "SELECT id, sku_id, location FROM listings WHERE channel_id = $1 AND sku_id = ANY($2::int[]) ORDER BY id"
_LOCATIONS = "SELECT DISTINCT location FROM channel_warehouses WHERE channel_id = $1 ORDER BY location"
_LINKS = "SELECT external_id, location, sku_id FROM listings WHERE channel_id = $1"


@dataclass(frozen=True, slots=True)
class ListingName:
    """A SKU by code or barcode; `location` may be left out where the channel lists it at one alone."""

    sku: str
    location: str | None = None


async def find_listings(connection: Any, channel_id: int, names: Sequence[ListingName]) -> list[int]:
    """Listing ids in the order of the lines.

    Raises `Refusal`: TOO_MANY_LINES or INVALID_INPUT for their number, then for each line SKU_NOT_FOUND,
    LISTING_NOT_FOUND, INVALID_INPUT for a location left out where there are several, DUPLICATE_LINE.
    """
    check_line_count(len(names))
    skus = await find_skus(connection, [name.sku for name in names])
    known: dict[int, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_FIND, channel_id, [sku.id for sku in skus.values()]):
        known[row["sku_id"]][row["location"]] = row["id"]
    found: list[int] = []
    for index, name in enumerate(names):
        path = ("lines", str(index))
        if name.sku not in skus:
            raise sku_not_found(name.sku, (*path, "sku"))
        listing = _choose(known[skus[name.sku].id], name, path)
        if listing in found:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {name.sku!r} comes twice.", (*path, "sku"))
        found.append(listing)
    return found


async def read_locations(connection: Any, channel_id: int) -> list[str]:
    """The channel's locations that show stock of ours."""
    return [row[0] for row in await connection.fetch(_LOCATIONS, channel_id)]


async def read_links(connection: Any, channel_id: int) -> dict[tuple[str, str], int]:
    """SKU ids by (external id, location), of everything that is linked."""
    return {(row[0], row[1]): row[2] for row in await connection.fetch(_LINKS, channel_id)}


def _choose(by_location: dict[str, int], name: ListingName, path: tuple[str, ...]) -> int:
    if name.location is None and len(by_location) == 1:
        return next(iter(by_location.values()))
    if name.location is None and by_location:
        message = f"SKU {name.sku!r} is listed at several locations: say which."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "location"))
    if name.location is None or name.location not in by_location:
        message = f"SKU {name.sku!r} is not listed there: link it with listingLink."
        raise Refusal(RefusalCode.LISTING_NOT_FOUND, message, (*path, "sku" if name.location is None else "location"))
    return by_location[name.location]
