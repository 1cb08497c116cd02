"""`transferChanged`, `returnChanged`, `adjustmentChanged` and `countChanged`: a warehouse's task lists, live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry

from api.channels.subscriptions import ChangeKind
from api.context import Context, Info
from api.counts.types import Count, count_from_row
from api.directives import EVERYONE, STAFF, requires
from api.floor.approvals import Adjustment, adjustment_from_row
from api.floor.return_types import Return, return_from_row
from api.floor.transfer_types import Transfer, transfer_from_row
from api.remembered import Remembered
from api.source import Source
from app.approvals.read_adjustments import read_adjustments_by_ids, read_pending_adjustments
from app.counts.read_counts import read_counts_by_ids, read_open_counts
from app.feed.hub import FeedEvent
from app.floor.watch_floor import SNAPSHOT_PAGE, FloorWatch, watch_floor
from app.returns.read_returns import read_open_returns, read_returns_by_ids
from app.state import State
from app.transfers.read_transfers import read_open_transfers, read_transfers_by_ids

EXPIRED = "Changes after what you had are not kept for you: this is a fresh snapshot."


@strawberry.input
class FloorFilter:
    warehouses: list[str] | None = strawberry.field(default=None, description="Codes.")


@strawberry.type
class TransferChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    transfer: Transfer | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(default=False, description=EXPIRED)


@strawberry.type
class ReturnChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    return_: Return | None = strawberry.field(name="return", description="Null when READY.")
    cursor_expired: bool = strawberry.field(default=False, description=EXPIRED)


@strawberry.type
class AdjustmentChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    adjustment: Adjustment | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(default=False, description=EXPIRED)


@strawberry.type
class CountChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    count: Count | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(default=False, description=EXPIRED)


@dataclass(frozen=True, slots=True)
class Documents:
    """One kind of document: how it is read, made into an object, and wrapped as a change."""

    topic: str
    read: Callable[[Any, Sequence[UUID]], Awaitable[list[dict[str, Any]]]]
    read_open: Callable[[Any, FloorWatch, UUID | None, int], Awaitable[list[dict[str, Any]]]]
    make: Callable[[Any], Any]
    wrap: Callable[..., Any]


TRANSFERS = Documents(
    *("transfer", read_transfers_by_ids, read_open_transfers, transfer_from_row),
    lambda cursor, kind, node, expired=False: TransferChange(
        cursor=cursor, kind=kind, transfer=node, cursor_expired=expired
    ),
)
RETURNS = Documents(
    *("return", read_returns_by_ids, read_open_returns, return_from_row),
    lambda cursor, kind, node, expired=False: ReturnChange(
        cursor=cursor, kind=kind, return_=node, cursor_expired=expired
    ),
)
ADJUSTMENTS = Documents(
    *("adjustment", read_adjustments_by_ids, read_pending_adjustments, adjustment_from_row),
    lambda cursor, kind, node, expired=False: AdjustmentChange(
        cursor=cursor, kind=kind, adjustment=node, cursor_expired=expired
    ),
)
COUNTS = Documents(
    *("count", read_counts_by_ids, read_open_counts, count_from_row),
    lambda cursor, kind, node, expired=False: CountChange(cursor=cursor, kind=kind, count=node, cursor_expired=expired),
)


class FloorSource(Source):
    """Documents of one kind as a stream: those that are open, then each that changes, read once for all."""

    def __init__(self, state: State, documents: Documents) -> None:
        self.topic = documents.topic
        self._state = state
        self._documents = documents
        self._known: Remembered[Any] = Remembered(state.database.hot, self._read)

    async def _read(self, database: Any, keys: list[str]) -> dict[str, Any]:
        rows = await self._documents.read(database, [UUID(key) for key in keys])
        return {str(row["id"]): self._documents.make(row) for row in rows}

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> FloorWatch:
        chosen = arguments.get("filter") or {}
        return await watch_floor(self._state, context.principal, chosen.get("warehouses"))

    def accepts(self, watch: FloorWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._known.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._known.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> Any:
        return self._documents.wrap(cursor, ChangeKind.CHANGE, self._known.get(event))

    async def snapshot(self, connection: Any, watch: FloorWatch, cursor: str, expired: bool) -> AsyncIterator[Any]:
        after: UUID | None = None
        while rows := await self._documents.read_open(connection, watch, after, SNAPSHOT_PAGE):
            for row in rows:
                yield self._documents.wrap(cursor, ChangeKind.SNAPSHOT, self._documents.make(row), expired)
            after = rows[-1]["id"]

    def ready(self, cursor: str, expired: bool) -> Any:
        return self._documents.wrap(cursor, ChangeKind.READY, None, expired)


READ = requires(EVERYONE, "stock:read")
WHOLE = "Without `after`: all that are open, READY, then each that changes. With it, what was missed meanwhile."


@strawberry.type
class FloorSubscription:
    @strawberry.subscription(directives=READ, description=WHOLE)
    async def transfer_changed(
        self, info: Info, filter: FloorFilter | None = None, after: str | None = None
    ) -> AsyncIterator[TransferChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield TransferChange(cursor="", kind=ChangeKind.READY, transfer=None)

    @strawberry.subscription(directives=READ, description=WHOLE)
    async def return_changed(
        self, info: Info, filter: FloorFilter | None = None, after: str | None = None
    ) -> AsyncIterator[ReturnChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield ReturnChange(cursor="", kind=ChangeKind.READY, return_=None)

    @strawberry.subscription(directives=requires(STAFF, "stock:read"), description=WHOLE)
    async def adjustment_changed(
        self, info: Info, filter: FloorFilter | None = None, after: str | None = None
    ) -> AsyncIterator[AdjustmentChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield AdjustmentChange(cursor="", kind=ChangeKind.READY, adjustment=None)

    @strawberry.subscription(directives=requires(STAFF, "stock:read"), description=WHOLE)
    async def count_changed(
        self, info: Info, filter: FloorFilter | None = None, after: str | None = None
    ) -> AsyncIterator[CountChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield CountChange(cursor="", kind=ChangeKind.READY, count=None)
