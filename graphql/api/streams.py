"""Live streams: executed once for all who ask the same, encoded once, and sent as the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog
from graphql import GraphQLSchema

from api.context import Context
from api.documents import Operation
from api.encode import EventEncoder
from api.execute import PlanExecutor
from api.member import Member
from api.outlet import Outlet
from api.snapshots import Snapshots
from api.source import Source
from app.feed.hub import FeedEvent, Hub
from app.metrics import DELIVERIES
from domain.cursor import Cursor

LOAD_RETRY_SECONDS = 0.25
UNKNOWN_MAX = 10_000
"""Events that wait for their SKUs to be read."""
REPLAYED_MAX = 2_000
"""Encoded changes kept while members replay."""
Encode = Callable[[Any], bytes]
"""The `payload` that shows an object."""
log = structlog.get_logger()


class Group:
    """Members that ask the same of the same: one execution and one encoding serve them all."""

    def __init__(self, source: Source, watch: Hashable, encode: Encode, field: str, hub: Hub) -> None:
        self.source = source
        self.watch = watch
        self.encode = encode
        self.field = field
        self.hub = hub
        self.members: set[Member] = set()
        self.snapshots = Snapshots(self)
        self._replays = 0
        self._replayed: dict[int, bytes] = {}
        self._unknown: list[FeedEvent] = []
        self._loading: asyncio.Task[None] | None = None
        self._detach = hub.attach(source.topic, self._deliver, self.expire)

    def close(self) -> None:
        self._detach()

    def accepts(self, event: FeedEvent) -> bool:
        return self.source.accepts(self.watch, event)

    def encode_change(self, event: FeedEvent, cursor: Cursor) -> bytes:
        if cursor.seen is not None or not self._replays:
            return self.encode(self.source.change(event, str(cursor)))
        payload = self._replayed.get(event.id)
        if payload is None:
            payload = self.encode(self.source.change(event, str(cursor)))
            if len(self._replayed) < REPLAYED_MAX:
                self._replayed[event.id] = payload
        return payload

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """While members replay, what one needs is kept for the others: after a restart all come back at once."""
        self._replays += 1
        try:
            yield
        finally:
            self._replays -= 1
            if not self._replays:
                self._replayed.clear()

    def expire(self) -> None:
        """Events went undelivered: every member needs a fresh snapshot."""
        self._unknown.clear()
        for member in self.members:
            member.expire()

    def _deliver(self, events: list[FeedEvent]) -> None:
        accepted = [event for event in events if self.accepts(event)]
        if not accepted:
            return
        if self._loading is None and all(map(self.source.knows, accepted)):
            self._spread(accepted)
            return
        self._unknown.extend(accepted)
        if len(self._unknown) > UNKNOWN_MAX:
            self.expire()
        elif self._loading is None:
            self._loading = asyncio.create_task(self._load_and_spread(), name="stream catalogue")

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
                if self._unknown[: len(events)] == events:  # else they were given up meanwhile
                    del self._unknown[: len(events)]
                    self._spread([event for event in events if self.source.knows(event)])
        except Exception:
            log.exception("a stream's events cannot be spread")
            self.expire()
        finally:
            self._loading = None

    def _spread(self, events: list[FeedEvent]) -> None:
        given = 0
        for event in events:
            position = event.position
            cursor, shared = Cursor(position), b""
            for member in self.members:
                if not member.live or member.cursor.skips(position):
                    continue
                own = cursor if member.cursor.seen is None else member.cursor.at(position)
                if own.seen is not None:
                    member.give(own, self.encode_change(event, own))
                else:
                    shared = shared or self.encode_change(event, cursor)
                    member.give(cursor, shared)
                given += 1
        DELIVERIES.labels(self.field).inc(given)


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
        outlet: Outlet,
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
        await self._hub.settle()  # and then nothing is awaited until the group listens
        group = self._groups.get(key)
        if group is None:
            encode = EventEncoder(operation, executor).encode
            group = self._groups[key] = Group(source, watch, encode, field, self._hub)
        try:
            member = Member(group, outlet, arguments.get("after"))
        except BaseException:
            self._close_if_empty(group)
            raise
        group.members.add(member)
        return member

    def leave(self, member: Member) -> None:
        """Close the member's group when it was the last."""
        group = member.group
        group.members.discard(member)
        self._close_if_empty(group)

    def _close_if_empty(self, group: Group) -> None:
        if not group.members:
            group.close()
            self._groups = {key: known for key, known in self._groups.items() if known is not group}
