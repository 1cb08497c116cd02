"""Queries of the channel area."""

from __future__ import annotations

import datetime
from functools import partial

import strawberry

from api.channels.exposure import ChannelExposure, OversellExposure
from api.channels.lanes import SyncLane
from api.channels.types import (
    Channel,
    Listing,
    ListingConnection,
    ListingState,
    SyncAttempt,
    attempt_from_row,
    channel_from_row,
    listings_from_rows,
)
from api.context import Info
from api.directives import EVERYONE, Cost, requires
from api.ids import BIGINT_MAX
from api.scalars import Counted, Edge, PageInfo, after_numbers, check_names, make_page, page_size
from app.channels.measure_exposure import measure_exposure
from app.channels.read_attempts import AttemptFilter, count_attempts, read_attempts
from app.channels.read_channels import read_channels
from app.channels.read_listings import ListingFilter as Chosen
from app.channels.read_listings import count_listings, read_listings

READ = requires(EVERYONE, "channels:read")


@strawberry.input
class ListingFilter:
    channel: str | None = strawberry.field(default=None, description="Code.")
    skus: list[str] | None = strawberry.field(default=None, description="Codes or barcodes.")
    states: list[ListingState] | None = None
    exposed: bool = strawberry.field(default=False, description="Only those that the channel may oversell now.")


@strawberry.input
class SyncAttemptFilter:
    channel: str | None = None
    lanes: list[SyncLane] | None = None
    failed: bool = strawberry.field(default=False, description="Only those that failed, wholly or for some listings.")
    from_: datetime.datetime | None = strawberry.field(name="from", default=None)
    to: datetime.datetime | None = None


@strawberry.input
class OversellExposureFilter:
    channel: str | None = None
    skus: list[str] | None = None


@strawberry.type
class SyncAttemptConnection(Counted):
    edges: list[Edge[SyncAttempt]]
    nodes: list[SyncAttempt]
    page_info: PageInfo


def _key(listing: Listing) -> str:
    return f"{listing.channel.key}.{listing.sku.key}.{listing.key}"


@strawberry.type
class ChannelQuery:
    @strawberry.field(directives=READ, description="All that you may see, by code.")
    async def channels(self, info: Info) -> list[Channel]:
        rows = await read_channels(info.context.state.database, info.context.principal)
        return [channel_from_row(row) for row in rows]

    @strawberry.field(directives=READ)
    async def channel(self, info: Info, code: str) -> Channel | None:
        rows = await read_channels(info.context.state.database, info.context.principal, code)
        return channel_from_row(rows[0]) if rows else None

    @strawberry.field(directives=READ, description="By channel and SKU.")
    async def listings(
        self, info: Info, filter: ListingFilter | None = None, first: int = 50, after: str | None = None
    ) -> ListingConnection:
        size, start = page_size(first), after_numbers(after, "ListingCursor", 3, BIGINT_MAX)
        f = filter or ListingFilter()
        check_names(f.skus, "skus")
        states = None if f.states is None else [state.value for state in f.states]
        chosen = Chosen(f.channel, f.skus, states, f.exposed)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_listings(database, principal, chosen, (start[0], start[1], start[2]), size + 1)
        page = make_page(listings_from_rows(rows), size, "ListingCursor", after, _key)
        return ListingConnection(count=partial(count_listings, database, principal, chosen), **page)

    @strawberry.field(directives=READ, description="Newest first.")
    async def sync_attempts(
        self, info: Info, filter: SyncAttemptFilter | None = None, first: int = 50, after: str | None = None
    ) -> SyncAttemptConnection:
        size, (before,) = page_size(first), after_numbers(after, "SyncAttemptCursor", limit=BIGINT_MAX)
        f = filter or SyncAttemptFilter()
        lanes = None if f.lanes is None else [lane.value for lane in f.lanes]
        chosen = AttemptFilter(f.channel, lanes, f.failed, f.from_, f.to)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_attempts(database, principal, chosen, before, size + 1)
        page = make_page([attempt_from_row(row) for row in rows], size, "SyncAttemptCursor", after)
        return SyncAttemptConnection(count=partial(count_attempts, database, principal, chosen), **page)

    @strawberry.field(
        directives=[*READ, Cost(weight=100)],
        description="Units that channels may sell right now and that are not there, in the worst case.",
    )
    async def oversell_exposure(self, info: Info, filter: OversellExposureFilter | None = None) -> OversellExposure:
        f = filter or OversellExposureFilter()
        check_names(f.skus, "skus")
        found = await measure_exposure(info.context.state.database, info.context.principal, f.channel, f.skus)
        channels = [
            ChannelExposure(channel=row["c_code"], units=row["units"], listings=row["listings"])
            for row in found.channels
        ]
        return OversellExposure(
            units=found.units, listings=found.listings, channels=channels, chosen=(f.channel, f.skus)
        )
