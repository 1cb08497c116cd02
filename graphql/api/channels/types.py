"""Channels, listings, attempts and exposure as clients see them."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api.channels.health_types import ChannelHealth, read_health
from api.channels.lanes import SyncLane
from api.channels.policy_types import CHANNEL_POLICY, LISTING_POLICY, ChannelPolicy, ListingPolicy
from api.context import Info
from api.directives import Cost
from api.scalars import Counted, Edge, PageInfo, page_size
from api.stock.types import Node, Sku, Warehouse, sku_from_row, warehouse_from_row
from app.channels.listing_state import STATES
from app.channels.read_listings import read_listings_by_ids
from app.channels.read_quota import read_quota
from app.channels.report_shadow import read_shadow_differences, report_shadow
from app.channels.report_sources import read_source_differences, report_sources
from domain.errors import CauseClass

SECONDS_PER_HOUR = 3_600


@strawberry.enum
class ChannelKind(StrEnum):
    SHOPIFY = "SHOPIFY"
    AMAZON = "AMAZON"
    EBAY = "EBAY"
    B2B = "B2B"


@strawberry.enum(
    description="SHADOW: computes and compares, sends nothing. PAUSED: no quantities are sent, orders are taken all "
    "the same; converges when resumed."
)
class ChannelStatus(StrEnum):
    SHADOW = "SHADOW"
    LIVE = "LIVE"
    PAUSED = "PAUSED"


@strawberry.enum(description="SHADOW: its stock is not published on the channel yet.")
class SourceStatus(StrEnum):
    SHADOW = "SHADOW"
    LIVE = "LIVE"


@strawberry.enum(
    description="\n".join(["The first of these that fits.", *(f"{name}: {text}" for name, text in STATES.items())])
)
class ListingState(StrEnum):
    IN_SYNC = "IN_SYNC"
    PENDING = "PENDING"
    IN_FLIGHT = "IN_FLIGHT"
    REJECTED = "REJECTED"
    DRIFTED = "DRIFTED"
    FROZEN = "FROZEN"
    BLOCKED = "BLOCKED"


@strawberry.type(description="A budget of requests of the vendor's, as all our processes share it, at this moment.")
class ChannelQuota:
    operation: str = strawberry.field(description="The vendor's word.")
    tokens: float = strawberry.field(description="What is there.")
    headroom: float = strawberry.field(description="Of these, kept for what must not be sold any more.")
    per_second: float = strawberry.field(description="What comes in.")
    burst: float = strawberry.field(description="The most it holds.")


@strawberry.type(
    description="From the stock change that left a listing behind until its channel had acknowledged the new number, "
    "in seconds, over what was acknowledged in the last five full minutes and the current one. At most a tenth too "
    "long. Batches that a channel only accepts count when it says that it applied them."
)
class ChannelLag:
    p50: float
    p95: float
    p99: float
    acknowledged: int = strawberry.field(description="Listings counted.")


@strawberry.type
class ChannelWarehouse:
    warehouse: Warehouse
    location: str = strawberry.field(description="Which of the channel's locations shows it; empty: it has one pool.")
    status: SourceStatus


@strawberry.type
class ListingCount:
    state: ListingState
    count: int


@strawberry.type(
    description="What would change if the channel went live now: what it was seen to show in the last quarter of an "
    "hour, against what it should."
)
class ShadowReport:
    compared: int
    equal: int
    different: int
    raised: int = strawberry.field(description="Of the different: would show more.")
    lowered: int = strawberry.field(description="Would show less.")
    unknown: int = strawberry.field(description="Are not known to the channel.")
    unseen: int = strawberry.field(description="Not looked at lately, and so not compared.")
    units_raised: int
    units_lowered: int
    seen_from: datetime.datetime | None = strawberry.field(description="The oldest look that counts.")
    channel_key: strawberry.Private[int]

    @strawberry.field(
        directives=[Cost(weight=20)], description="Unknown to the channel first, then those that differ most."
    )
    async def listings(self, info: Info, first: int = 50) -> list[Listing]:
        rows = await read_shadow_differences(info.context.state.database, self.channel_key, page_size(first))
        return listings_from_rows(rows)


@strawberry.type
class SourceDifference:
    listing: Listing
    would_show: int


@strawberry.type(description="What would be shown if the SHADOW warehouses were LIVE, against what is shown.")
class SourceShadowReport:
    compared: int = strawberry.field(description="Listings where a SHADOW warehouse is a source.")
    different: int
    raised: int
    lowered: int
    units_raised: int
    units_lowered: int
    channel_key: strawberry.Private[int]

    @strawberry.field(directives=[Cost(weight=20)], description="Those that differ most first.")
    async def listings(self, info: Info, first: int = 50) -> list[SourceDifference]:
        database = info.context.state.database
        rows = await read_source_differences(database, self.channel_key, page_size(first))
        found = await read_listings_by_ids(database.hot, [row["id"] for row in rows])
        listings = {row["id"]: listing_from_row(row) for row in found}
        return [
            SourceDifference(listing=listings[row["id"]], would_show=row["would_show"])
            for row in rows
            if row["id"] in listings
        ]


@strawberry.type(description="A place where we sell.")
class Channel(Node):
    code: str
    name: str
    kind: ChannelKind
    status: ChannelStatus
    policy: ChannelPolicy
    health: ChannelHealth
    created_at: datetime.datetime

    @strawberry.field(directives=[Cost(weight=5)], description="What it sells from.")
    async def warehouses(self, info: Info) -> list[ChannelWarehouse]:
        rows = await info.context.loaders.sources_of_channel.load(int(self.key))
        return [
            ChannelWarehouse(warehouse=warehouse_from_row(row), location=row["location"], status=row["status"])
            for row in rows
        ]

    @strawberry.field(
        directives=[Cost(weight=5)],
        description="Shared with other channels of the same account. Null when Redis cannot be asked, when the "
        "credentials cannot be opened, or when the channel has no budgets.",
    )
    async def quota(self, info: Info) -> list[ChannelQuota] | None:
        levels = await read_quota(info.context.state, int(self.key))
        if levels is None:
            return None
        return [
            ChannelQuota(
                operation=level.operation,
                tokens=level.tokens,
                headroom=level.headroom,
                per_second=level.rate,
                burst=level.burst,
            )
            for level in levels
        ]

    @strawberry.field(directives=[Cost(weight=5)], description="Null when nothing was acknowledged in the window.")
    async def lag(self, info: Info) -> ChannelLag | None:
        found = await info.context.loaders.lag_of_channel.load(int(self.key))
        if found is None:
            return None
        return ChannelLag(p50=found.p50, p95=found.p95, p99=found.p99, acknowledged=found.acknowledged)

    @strawberry.field(directives=[Cost(weight=50)], description="By state; states of no listing are left out.")
    async def listing_counts(self, info: Info) -> list[ListingCount]:
        rows = await info.context.loaders.counts_of_channel.load(int(self.key))
        return [ListingCount(state=ListingState(row["state"]), count=row["count"]) for row in rows]

    @strawberry.field(directives=[Cost(weight=20)], description="Null unless the channel is SHADOW.")
    async def shadow(self, info: Info) -> ShadowReport | None:
        if self.status != ChannelStatus.SHADOW:
            return None
        row = await report_shadow(info.context.state.database, int(self.key))
        return ShadowReport(channel_key=int(self.key), **dict(row))

    @strawberry.field(
        directives=[Cost(weight=20)], description="Of its SHADOW warehouses; null when no listing has one as a source."
    )
    async def source_shadow(self, info: Info) -> SourceShadowReport | None:
        row = await report_sources(info.context.state.database, int(self.key))
        return SourceShadowReport(channel_key=int(self.key), **dict(row)) if row["compared"] else None


@strawberry.type(description="One SKU at one location of a channel: what it should show, what it took, what it showed.")
class Listing(Node):
    channel: Channel
    sku: Sku
    external_id: str = strawberry.field(description="What the channel calls it.")
    location: str
    reference: str | None = strawberry.field(description="What else the channel needs to address it.")
    published: int | None = strawberry.field(description="What the channel should show, units.")
    acknowledged: int | None = strawberry.field(description="What it took last.")
    observed: int | None = strawberry.field(
        description="What it was last seen to show; null: not seen, or unknown there."
    )
    state: ListingState
    exposure: int = strawberry.field(
        description="Worst case now: what the channel may still sell, by what it took last or by a batch, lost reply "
        "or drift that may have left it more, minus what is available."
    )
    pending_since: datetime.datetime | None = strawberry.field(description="The stock change it was not told of yet.")
    drift_since: datetime.datetime | None
    last_acknowledged_at: datetime.datetime | None
    last_observed_at: datetime.datetime | None
    frozen: bool = strawberry.field(description="This listing alone; a frozen SKU says so itself.")
    policy: ListingPolicy
    adaptive_buffer: int = strawberry.field(description="Units held back for now by measured lag and velocity.")
    velocity: float = strawberry.field(description="Units an hour that the channel sells of it, lately.")
    attempts: int = strawberry.field(description="Tries since it last worked.")
    next_attempt_at: datetime.datetime | None
    cause: CauseClass | None
    error: str | None


@strawberry.type(description="One call of a channel.")
class SyncAttempt(Node):
    channel: str
    lane: SyncLane
    started_at: datetime.datetime
    seconds: float
    listings: int = strawberry.field(description="How many it was about; orders, in that lane.")
    done: int
    failed: int
    cause: CauseClass | None
    error: str | None


@strawberry.type
class ListingConnection(Counted):
    edges: list[Edge[Listing]]
    nodes: list[Listing]
    page_info: PageInfo


def channel_from_row(row: Any) -> Channel:
    policy = ChannelPolicy(**{name: row[f"c_{name}"] for name in CHANNEL_POLICY})
    return Channel(
        key=str(row["c_id"]),
        code=row["c_code"],
        name=row["c_name"],
        kind=row["c_kind"],
        status=row["c_status"],
        policy=policy,
        health=read_health(row["h_circuits"], row["h_orders_until"]),
        created_at=row["c_created_at"],
    )


def listing_from_row(row: Any) -> Listing:
    return make_listing(row, channel_from_row(row), sku_from_row(row))


def listings_from_rows(rows: Any) -> list[Listing]:
    """A page of listings; a channel that comes again is made once."""
    channels: dict[int, Channel] = {}
    listings = []
    for row in rows:
        channel = channels.get(row["c_id"])
        if channel is None:
            channel = channels[row["c_id"]] = channel_from_row(row)
        listings.append(make_listing(row, channel, sku_from_row(row)))
    return listings


def make_listing(state: Any, channel: Channel, sku: Sku) -> Listing:
    """A listing from anything with the columns of `app.channels.listing_state.LISTING_COLUMNS`.

    An answer that was kept for its idempotency key may be from before a column of the policy was added.
    """
    return Listing(
        key=str(state["id"]),
        channel=channel,
        sku=sku,
        external_id=state["external_id"],
        location=state["location"],
        reference=state["reference"],
        published=state["desired"],
        acknowledged=state["acknowledged"],
        observed=state["observed"],
        state=state["state"],
        exposure=state["exposure"],
        pending_since=state["dirty_since"],
        drift_since=state["drift_since"],
        last_acknowledged_at=state["acknowledged_at"],
        last_observed_at=state["observed_at"],
        frozen=state["frozen"],
        policy=ListingPolicy(**{name: state.get(name) for name in LISTING_POLICY}),
        adaptive_buffer=state["adaptive_buffer"],
        velocity=state["velocity"] * SECONDS_PER_HOUR,
        attempts=state["attempts"],
        next_attempt_at=state["next_attempt_at"],
        cause=state["cause"],
        error=state["error"],
    )


def attempt_from_row(row: Any) -> SyncAttempt:
    kept = ("channel", "lane", "started_at", "seconds", "listings", "done", "failed", "cause", "error")
    return SyncAttempt(key=str(row["id"]), **{name: row[name] for name in kept})
