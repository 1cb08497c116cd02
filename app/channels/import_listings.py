"""Link listings from a file: the whole file or nothing, with every bad row reported."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.batches import split_batches
from app.catalog.find_skus import FoundSku, find_skus
from app.channels.find_listings import read_links, read_locations
from app.channels.link_listing import ListingLink, link_listings
from app.channels.see_channels import find_channel
from app.state import State
from app.transact import rerun
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.listing_csv import ListingRow, ParsedListings, parse_listings
from domain.shopify_csv import RowProblem


@dataclass(frozen=True, slots=True)
class ListingImport:
    """`linked`: listings that are new or point elsewhere now. With problems, or on a dry run, nothing was written."""

    rows: int
    linked: int
    problems: tuple[RowProblem, ...]
    dry_run: bool


class _DryRun(Exception):
    def __init__(self, report: ListingImport) -> None:
        super().__init__()
        self.report = report


async def import_listings(state: State, principal: Principal, path: Path, channel: str, dry_run: bool) -> ListingImport:
    """Link the file's SKUs to what the channel calls them; a second run changes nothing.

    Raises `Refusal` CHANNEL_NOT_FOUND, or INVALID_INPUT for a file that is not UTF-8 text; OSError when it cannot be
    read. Problems in rows are in the report.
    """
    parsed = await asyncio.to_thread(_read_file, path)

    async def once() -> ListingImport:
        async with state.database.hot.acquire() as connection, connection.transaction():
            channel_id = await find_channel(connection, principal, channel, lock=True)
            report = await _import_rows(connection, channel_id, parsed)
            if dry_run:
                raise _DryRun(report)
            return report

    try:
        report = await rerun(once)
    except _DryRun as stopped:
        return replace(stopped.report, dry_run=True)
    for bell in ("push", "feed"):
        state.doorbell.ring(bell)
    return report


def _read_file(path: Path) -> ParsedListings:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return parse_listings(lines)
    except UnicodeDecodeError as error:
        raise Refusal(RefusalCode.INVALID_INPUT, f"{path.name} is no UTF-8 text: save it as CSV again.") from error


async def _import_rows(connection: Any, channel_id: int, parsed: ParsedListings) -> ListingImport:
    problems = list(parsed.problems)
    skus: dict[str, FoundSku] = {}
    for batch in split_batches(parsed.rows):
        skus |= await find_skus(connection, [row.sku for row in batch])
    locations = await read_locations(connection, channel_id)
    taken = await read_links(connection, channel_id)
    places: dict[tuple[int, str], int] = {}
    items: dict[tuple[str, str], int] = {}
    links: list[ListingLink] = []
    for row in parsed.rows:
        location = row.location if row.location is not None or len(locations) != 1 else locations[0]
        reason = _find_problem(row, location, skus.get(row.sku), locations)
        if reason is None:
            sku = skus[row.sku]
            reason = _find_clash(row, sku, location or "", places, items, taken)
            links.append(ListingLink(sku.code, row.external_id, location or "", row.reference))
        if reason is not None:
            problems.append(RowProblem(row.row, reason))
    if problems:
        ordered = sorted(problems, key=lambda problem: problem.row)
        return ListingImport(len(parsed.rows), 0, tuple(ordered), False)
    linked = 0
    for some in split_batches(links):
        linked += await link_listings(connection, channel_id, some)
    return ListingImport(len(parsed.rows), linked, (), False)


def _find_problem(row: ListingRow, location: str | None, sku: FoundSku | None, locations: Sequence[str]) -> str | None:
    if sku is None:
        return f"There is no SKU with the code or barcode {row.sku!r}."
    if location is None:
        return f"Say the location: the channel has {len(locations)}."
    if location not in locations:
        return f"No warehouse of the channel is shown at location {location!r}."
    return None


def _find_clash(
    row: ListingRow,
    sku: FoundSku,
    location: str,
    places: dict[tuple[int, str], int],
    items: dict[tuple[str, str], int],
    taken: dict[tuple[str, str], int],
) -> str | None:
    """Why the row cannot stand beside the ones before it, or beside the links there are."""
    first = places.setdefault((sku.id, location), row.row)
    if first != row.row:
        return f"SKU {sku.code!r} is in row {first} already."
    first = items.setdefault((row.external_id, location), row.row)
    if first != row.row:
        return f"{row.external_id!r} is in row {first} already."
    if taken.get((row.external_id, location), sku.id) != sku.id:
        return f"{row.external_id!r} is linked to another SKU: unlink that first."
    return None
