"""`listingChanged` and `syncFailures`."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import orjson
import strawberry

from api.channels.lanes import SyncLane
from api.channels.types import Listing, SyncAttempt, attempt_from_row, listing_from_row
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.ids import encode_id
from api.remembered import Remembered
from api.source import Source
from app.channels.read_attempts import read_recent_failures
from app.channels.read_channels import read_channels_by_ids
from app.channels.read_listings import Key, read_listings_by_ids
from app.channels.watch_channels import ChannelWatch, read_watched_listings, watch_channels
from app.feed.hub import FeedEvent
from app.state import State

FAILURES_SHOWN = 50
READ = requires(EVERYONE, "channels:read")


@strawberry.enum
class ChangeKind(StrEnum):
    SNAPSHOT = "SNAPSHOT"
    CHANGE = "CHANGE"
    REMOVED = "REMOVED"
    READY = "READY"


@strawberry.input
class ListingChangedFilter:
    channel: str | None = strawberry.field(default=None, description="Code.")
    skus: list[str] | None = strawberry.field(default=None, description="Codes or barcodes.")


@strawberry.input
class SyncFailureFilter:
    channel: str | None = None
    lanes: list[SyncLane] | None = None


@strawberry.type(description="A listing that changed, as it is when it is told: two changes may show the second twice.")
class ListingChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    listing_id: strawberry.ID | None = strawberry.field(description="Null when READY.")
    listing: Listing | None = strawberry.field(description="Null when READY or REMOVED.")
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


@strawberry.type(description="A call of a channel that failed, wholly or for some listings.")
class SyncFailure:
    cursor: str
    kind: ChangeKind
    attempt: SyncAttempt | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = False


def names_of(values: Any) -> frozenset[str] | None:
    """Of a list of enum values in a filter; None when it was left out."""
    return None if values is None else frozenset(str(getattr(value, "value", value)) for value in values)


class ListingSource(Source):
    """Listings as a stream."""

    topic = "listing"

    def __init__(self, state: State) -> None:
        self._state = state
        self._listings: Remembered[Listing] = Remembered(state.database.hot, _read_listings)

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> ChannelWatch:
        chosen = arguments.get("filter") or {}
        return await watch_channels(self._state, context.principal, chosen.get("channel"), chosen.get("skus"))

    def accepts(self, watch: ChannelWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._listings.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._listings.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> ListingChange:
        listing = self._listings.get(event)
        kind = ChangeKind.REMOVED if listing is None else ChangeKind.CHANGE
        listing_id = strawberry.ID(encode_id("Listing", event.key))
        return ListingChange(cursor=cursor, kind=kind, listing_id=listing_id, listing=listing)

    async def snapshot(
        self, connection: Any, watch: ChannelWatch, cursor: str, expired: bool
    ) -> AsyncIterator[ListingChange]:
        after: Key = (0, 0, 0)
        while rows := await read_watched_listings(connection, watch, after):
            for row in rows:
                listing = listing_from_row(row)
                yield ListingChange(
                    cursor=cursor,
                    kind=ChangeKind.SNAPSHOT,
                    listing_id=listing.id(),
                    listing=listing,
                    cursor_expired=expired,
                )
            after = (rows[-1]["channel_id"], rows[-1]["sku_id"], rows[-1]["id"])

    def ready(self, cursor: str, expired: bool) -> ListingChange:
        return ListingChange(
            cursor=cursor, kind=ChangeKind.READY, listing_id=None, listing=None, cursor_expired=expired
        )


async def _read_listings(database: Any, keys: list[str]) -> dict[str, Listing]:
    rows = await read_listings_by_ids(database, [int(key) for key in keys])
    return {str(row["id"]): listing_from_row(row) for row in rows}


class FailureSource(Source):
    """Failed calls as a stream: events carry all of them but their channel's code, which never changes."""

    topic = "sync_failure"

    def __init__(self, state: State) -> None:
        self._state = state
        self._codes: dict[int, str] = {}

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> ChannelWatch:
        chosen = arguments.get("filter") or {}
        lanes = names_of(chosen.get("lanes"))
        return await watch_channels(self._state, context.principal, chosen.get("channel"), lanes=lanes)

    def accepts(self, watch: ChannelWatch, event: FeedEvent) -> bool:
        return watch.accepts_attempt(event)

    async def load(self, events: list[FeedEvent]) -> None:
        missing = sorted({e.channel_id for e in events if e.channel_id is not None} - self._codes.keys())
        if missing:
            rows = await read_channels_by_ids(self._state.database.hot, missing)
            self._codes |= {row["c_id"]: row["c_code"] for row in rows}

    def knows(self, event: FeedEvent) -> bool:
        return event.channel_id in self._codes

    def change(self, event: FeedEvent, cursor: str) -> SyncFailure:
        assert event.channel_id is not None
        row = orjson.loads(event.payload)
        row["channel"] = self._codes[event.channel_id]
        row["started_at"] = datetime.datetime.fromisoformat(row["started_at"])
        return SyncFailure(cursor=cursor, kind=ChangeKind.CHANGE, attempt=attempt_from_row(row))

    async def snapshot(
        self, connection: Any, watch: ChannelWatch, cursor: str, expired: bool
    ) -> AsyncIterator[SyncFailure]:
        channels = None if watch.channel_ids is None else sorted(watch.channel_ids)
        lanes = None if watch.lanes is None else sorted(watch.lanes)
        for row in await read_recent_failures(connection, channels, lanes, FAILURES_SHOWN):
            yield SyncFailure(
                cursor=cursor, kind=ChangeKind.SNAPSHOT, attempt=attempt_from_row(row), cursor_expired=expired
            )

    def ready(self, cursor: str, expired: bool) -> SyncFailure:
        return SyncFailure(cursor=cursor, kind=ChangeKind.READY, attempt=None, cursor_expired=expired)


@strawberry.type
class ChannelSubscription:
    @strawberry.subscription(
        directives=READ,
        description="Without `after`: every listing, READY, then those that change. Not for tokens limited to "
        "warehouses.",
    )
    async def listing_changed(
        self, info: Info, filter: ListingChangedFilter | None = None, after: str | None = None
    ) -> AsyncIterator[ListingChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield ListingChange(cursor="", kind=ChangeKind.READY, listing_id=None, listing=None)

    @strawberry.subscription(
        directives=READ,
        description=f"Without `after`: the last {FAILURES_SHOWN}, READY, then each as it happens; to a client that "
        "reads slowly the latest of each channel and lane. Not for tokens limited to warehouses.",
    )
    async def sync_failures(
        self, info: Info, filter: SyncFailureFilter | None = None, after: str | None = None
    ) -> AsyncIterator[SyncFailure]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield SyncFailure(cursor="", kind=ChangeKind.READY, attempt=None)
