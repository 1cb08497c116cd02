"""Live streams: executed once for all who ask the same, encoded once, and sent as the same bytes.

A member joins in four steps, so that it sees every change after its start once and none before it:

1. it attaches to its group; changes from now on wait in its backlog, the latest per key;
2. fresh, it takes a snapshot and sends it, then READY; resuming, it reads the feed from its cursor up to where
   the hub was at step 1;
3. it sends its backlog, without what the snapshot or the cursor covers already;
4. with nothing left it is live: the group writes to it directly, until it is too slow to take it.

A slow member goes back to its backlog, which never holds more than one change per key.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from typing import Any

import orjson
import structlog
from graphql import GraphQLSchema

from api.context import Context
from api.documents import Operation
from api.errors import format_error
from api.execute import PlanExecutor
from app.feed.hub import FeedEvent, Hub
from app.metrics import CONFLATED, DELIVERIES, SUBSCRIBERS
from domain.cursor import Cursor, Position, parse_cursor

LOAD_RETRY_SECONDS = 0.25
log = structlog.get_logger()
Send = Callable[[str], Coroutine[Any, Any, None]]


class Source(ABC):
    """One subscription field: what its events are and how they become objects of the schema."""

    topic: str

    @abstractmethod
    async def prepare(self, context: Context, arguments: dict[str, Any]) -> Hashable:
        """What is watched, within what the principal may see. Raises `Refusal`."""

    @abstractmethod
    def accepts(self, watch: Any, event: FeedEvent) -> bool: ...

    @abstractmethod
    async def load(self, events: list[FeedEvent]) -> None:
        """Read what is needed to make objects of these events."""

    @abstractmethod
    def knows(self, event: FeedEvent) -> bool: ...

    @abstractmethod
    def change(self, event: FeedEvent, cursor: str) -> Any: ...

    @abstractmethod
    def snapshot(self, connection: Any, watch: Any, cursor: str, expired: bool) -> AsyncIterator[Any]: ...

    @abstractmethod
    def ready(self, cursor: str, expired: bool) -> Any: ...


class Group:
    """Members that ask the same of the same: one execution and one encoding serve them all."""

    def __init__(self, source: Source, watch: Hashable, executor: PlanExecutor, field: str, hub: Hub) -> None:
        self.source = source
        self.watch = watch
        self.field = field
        self.hub = hub
        self.members: set[Member] = set()
        self._executor = executor
        self._unknown: list[FeedEvent] = []
        self._loading: asyncio.Task[None] | None = None
        self._detach = hub.attach(source.topic, self._deliver)

    def close(self) -> None:
        self._detach()

    def has_passed(self, xmax: int) -> bool:
        """Whether every change of transactions below `xmax` has been given to the members."""
        return self._loading is None and self.hub.position.xid >= xmax

    def encode(self, value: Any) -> str:
        """The `payload` of one event: the selection executed on `value`, as JSON."""
        result: Any = self._executor.build_per_event_executor(value).execute_operation(False)
        encoded: dict[str, Any] = {"data": result.data}
        if result.errors:
            encoded["errors"] = [format_error(error, "stream") for error in result.errors]
        return orjson.dumps(encoded).decode()

    def _deliver(self, events: list[FeedEvent]) -> None:
        accepted = [event for event in events if self.source.accepts(self.watch, event)]
        if not accepted:
            return
        if self._loading is not None or not all(self.source.knows(event) for event in accepted):
            self._unknown.extend(accepted)
            if self._loading is None:
                self._loading = asyncio.create_task(self._load_and_spread(), name="stream catalogue")
            return
        self._spread(accepted)

    async def _load_and_spread(self) -> None:
        """A SKU this process never saw: read it first, and keep the order."""
        try:
            while self._unknown and self.members:
                events = list(self._unknown)
                try:
                    await self.source.load(events)
                except Exception:  # whatever it was, dropping these events would be a gap for live members
                    log.exception("a stream's catalogue cannot be read")
                    await asyncio.sleep(LOAD_RETRY_SECONDS)
                    continue
                del self._unknown[: len(events)]
                self._spread([event for event in events if self.source.knows(event)])
        finally:
            self._loading = None

    def _spread(self, events: list[FeedEvent]) -> None:
        members = list(self.members)
        for event in events:
            shared: str | None = None
            for member in members:
                if not member.live or member.cursor.snapshot is not None:
                    member.keep(event)
                    continue
                if event.position <= member.cursor.position:
                    continue
                if shared is None:
                    shared = self.encode(self.source.change(event, str(Cursor(event.position))))
                member.write(event, shared)
        DELIVERIES.labels(self.field).inc(len(events) * len(members))


class Member:
    """One client's subscription."""

    def __init__(self, group: Group, send: Send, after: str | None) -> None:
        self.group = group
        self.live = False
        self.cursor = Cursor(Position(0, 0))
        self._send = send
        self._after = None if after is None else parse_cursor(after)
        self._backlog: dict[str, FeedEvent] = {}
        self._wake = asyncio.Event()
        self._stuck: Coroutine[Any, Any, None] | None = None

    def keep(self, event: FeedEvent) -> None:
        """Put an event in the backlog, in place of an older one of the same key."""
        if self._backlog.pop(event.key, None) is not None:
            CONFLATED.labels(self.group.field).inc()
        self._backlog[event.key] = event
        self._wake.set()

    def write(self, event: FeedEvent, payload: str) -> None:
        """Send at once. If the client's buffer is full, the rest of the sending and what follows wait in `run`."""
        self.cursor = Cursor(event.position)
        sending = self._send(payload)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception as error:  # the client has left: its own `run` ends with that, and no other member's
            self._stuck = _fail(error)
        else:
            self._stuck = _resume(sending, waits_for)
        self.live = False
        self._wake.set()

    async def run(self) -> None:
        """Join, then keep the backlog empty until cancelled."""
        group = self.group
        SUBSCRIBERS.labels(group.field).inc()
        upto = group.hub.position
        try:
            await self._start(upto)
            while True:
                await self._drain()
                self.live = True
                self._wake.clear()
                if self.cursor.snapshot is not None and group.has_passed(self.cursor.snapshot.xmax):
                    self.cursor = Cursor(max(self.cursor.position, group.hub.position))
                await self._wake.wait()
                self.live = False
        finally:
            self.live = False
            if self._stuck is not None:
                self._stuck.close()
            group.members.discard(self)
            SUBSCRIBERS.labels(group.field).dec()

    async def _start(self, upto: Position) -> None:
        expired = False
        if self._after is not None:
            expired = self._after.position < await self.group.hub.horizon()
            if not expired:
                await self._catch_up(self._after, upto)
                return
        await self._send_snapshot(expired)

    async def _catch_up(self, after: Cursor, upto: Position) -> None:
        self.cursor = after
        source = self.group.source
        async for page in self.group.hub.read_between(after.position, upto):
            wanted = [e for e in page if e.topic == source.topic and source.accepts(self.group.watch, e)]
            await source.load(wanted)
            for event in wanted:
                await self._send_event(event)
        if after.position < await self.group.hub.horizon():
            await self._send_snapshot(True)  # rows were swept while they were being read: some may be missing
            return
        await self._send(self.group.encode(source.ready(str(self.cursor), False)))

    async def _send_snapshot(self, expired: bool) -> None:
        source = self.group.source
        async with self.group.hub.take_snapshot() as (connection, snapshot):
            start = Cursor(snapshot.start(), snapshot)
            items = source.snapshot(connection, self.group.watch, str(start), expired)
            payloads = [self.group.encode(item) async for item in items]
        self.cursor = start
        for payload in payloads:
            await self._send(payload)
        await self._send(self.group.encode(source.ready(str(start), expired)))

    async def _drain(self) -> None:
        if self._stuck is not None:
            stuck, self._stuck = self._stuck, None
            await stuck
        while self._backlog:
            await self.group.source.load(list(self._backlog.values()))
            waiting, self._backlog = self._backlog, {}
            for key, event in waiting.items():
                if key not in self._backlog:
                    await self._send_event(event)

    async def _send_event(self, event: FeedEvent) -> None:
        if self.cursor.skips(event.position) or not self.group.source.knows(event):
            return
        self.cursor = self.cursor.at(event.position)
        await self._send(self.group.encode(self.group.source.change(event, str(self.cursor))))


async def _fail(error: Exception) -> None:
    raise error


async def _resume(sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """Finish a coroutine that was started by hand and now waits for a future."""
    while True:
        if waits_for is None:
            await asyncio.sleep(0)
        else:
            waits_for._asyncio_future_blocking = False
            await asyncio.wait([waits_for])
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return


class Streams:
    """All live streams of one process, by what they ask."""

    def __init__(self, schema: GraphQLSchema, hub: Hub, sources: dict[str, Source]) -> None:
        self._schema = schema
        self._hub = hub
        self._sources = sources
        self._groups: dict[Hashable, Group] = {}

    async def open(
        self,
        operation: Operation,
        executor: PlanExecutor,
        arguments: dict[str, Any],
        context: Context,
        send: Send,
    ) -> Member:
        """A member of the group that asks the same, ready to `run`. Raises `Refusal`."""
        field = operation.root_field
        source = self._sources[field]
        watch = await source.prepare(context, arguments)
        variables = {k: v for k, v in executor.variable_values.coerced.items() if k not in operation.after_variables}
        key = (
            operation.text,
            operation.name,
            watch,
            orjson.dumps(variables, default=str, option=orjson.OPT_SORT_KEYS),
        )
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(source, watch, executor, field, self._hub)
        member = Member(group, send, arguments.get("after"))
        group.members.add(member)
        return member

    def leave(self, member: Member) -> None:
        """Close the member's group when it was the last."""
        group = member.group
        group.members.discard(member)
        if not group.members:
            group.close()
            self._groups = {key: known for key, known in self._groups.items() if known is not group}
