"""`exceptionChanged`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import strawberry

from api.channels.subscriptions import READ, ChangeKind, names_of
from api.context import Context, Info
from api.exceptions.types import ExceptionCase, case_from_row, events_from_rows
from api.remembered import Remembered
from api.source import Source
from app.channels.watch_channels import ChannelWatch, read_watched_cases, watch_channels
from app.exceptions.read_cases import read_cases_by_ids, read_timelines
from app.feed.hub import FeedEvent
from app.state import State
from domain.exceptions import CaseKind, Severity


@strawberry.input
class ExceptionChangedFilter:
    kinds: list[CaseKind] | None = None
    severities: list[Severity] | None = None
    owner: str | None = None
    channel: str | None = strawberry.field(default=None, description="Code.")


@strawberry.type(description="A case that was opened, changed or resolved.")
class ExceptionChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    exception: ExceptionCase | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


class CaseSource(Source):
    """Exception cases as a stream, with their timelines."""

    topic = "exception"

    def __init__(self, state: State) -> None:
        self._state = state
        self._cases: Remembered[ExceptionCase] = Remembered(state.database.hot, _read_cases)

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> ChannelWatch:
        chosen = arguments.get("filter") or {}
        return await watch_channels(
            self._state,
            context.principal,
            chosen.get("channel"),
            kinds=names_of(chosen.get("kinds")),
            severities=names_of(chosen.get("severities")),
            owner=chosen.get("owner"),
        )

    def accepts(self, watch: ChannelWatch, event: FeedEvent) -> bool:
        return watch.accepts_case(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._cases.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._cases.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> ExceptionChange:
        return ExceptionChange(cursor=cursor, kind=ChangeKind.CHANGE, exception=self._cases.get(event))

    async def snapshot(
        self, connection: Any, watch: ChannelWatch, cursor: str, expired: bool
    ) -> AsyncIterator[ExceptionChange]:
        after = None
        while rows := await read_watched_cases(connection, watch, after):
            for case in await _with_timelines(connection, rows):
                yield ExceptionChange(cursor=cursor, kind=ChangeKind.SNAPSHOT, exception=case, cursor_expired=expired)
            after = rows[-1]["id"]

    def ready(self, cursor: str, expired: bool) -> ExceptionChange:
        return ExceptionChange(cursor=cursor, kind=ChangeKind.READY, exception=None, cursor_expired=expired)


async def _read_cases(database: Any, keys: list[str]) -> dict[str, ExceptionCase]:
    rows = await read_cases_by_ids(database, [UUID(key) for key in keys])
    return {case.key: case for case in await _with_timelines(database, rows)}


async def _with_timelines(connection: Any, rows: Any) -> list[ExceptionCase]:
    timelines = await read_timelines(connection, [row["id"] for row in rows])
    return [case_from_row(row, events_from_rows(timelines[row["id"]])) for row in rows]


@strawberry.type
class ExceptionSubscription:
    @strawberry.subscription(
        directives=READ,
        description="Without `after`: every case that is not resolved, READY, then those that change. Not for tokens "
        "limited to warehouses.",
    )
    async def exception_changed(
        self, info: Info, filter: ExceptionChangedFilter | None = None, after: str | None = None
    ) -> AsyncIterator[ExceptionChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield ExceptionChange(cursor="", kind=ChangeKind.READY, exception=None)
