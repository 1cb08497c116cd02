"""`exceptionCases` and `inboundEvents`."""

from __future__ import annotations

from functools import partial

import strawberry

from api.context import Info
from api.directives import EVERYONE, requires
from api.exceptions.types import (
    ExceptionCaseConnection,
    InboundEventConnection,
    case_from_row,
    inbound_event_from_row,
)
from api.ids import BIGINT_MAX
from api.scalars import after_numbers, after_uuid, check_names, make_page, page_size
from app.channels.reprocess_event import EventFilter, count_events, read_events
from app.exceptions.read_cases import CaseFilter, count_cases, read_cases
from domain.exceptions import CaseKind, CaseState, Severity

READ = requires(EVERYONE, "channels:read")


@strawberry.input
class ExceptionCaseFilter:
    kinds: list[CaseKind] | None = None
    states: list[CaseState] | None = None
    severities: list[Severity] | None = None
    owner: str | None = None
    channel: str | None = strawberry.field(default=None, description="Code.")
    sku: str | None = strawberry.field(default=None, description="Code.")
    overdue: bool = strawberry.field(default=False, description="Only open ones that nobody took up in time.")


@strawberry.input
class InboundEventFilter:
    channel: str | None = None
    topics: list[str] | None = None
    failed: bool = strawberry.field(default=False, description="Only those with an error.")
    waiting: bool = strawberry.field(default=False, description="Only those not processed yet.")


@strawberry.type
class ExceptionQuery:
    @strawberry.field(directives=READ, description="Newest first.")
    async def exception_cases(
        self, info: Info, filter: ExceptionCaseFilter | None = None, first: int = 50, after: str | None = None
    ) -> ExceptionCaseConnection:
        size, before = page_size(first), after_uuid(after, "ExceptionCaseCursor")
        f = filter or ExceptionCaseFilter()
        chosen = CaseFilter(
            None if f.kinds is None else [kind.value for kind in f.kinds],
            None if f.states is None else [state.value for state in f.states],
            None if f.severities is None else [severity.value for severity in f.severities],
            f.owner,
            f.channel,
            f.sku,
            f.overdue,
        )
        database, principal = info.context.state.database, info.context.principal
        rows = await read_cases(database, principal, chosen, before, size + 1)
        page = make_page([case_from_row(row) for row in rows], size, "ExceptionCaseCursor", after)
        return ExceptionCaseConnection(count=partial(count_cases, database, principal, chosen), **page)

    @strawberry.field(directives=READ, description="What channels sent us, newest first.")
    async def inbound_events(
        self, info: Info, filter: InboundEventFilter | None = None, first: int = 50, after: str | None = None
    ) -> InboundEventConnection:
        size, (before,) = page_size(first), after_numbers(after, "InboundEventCursor", limit=BIGINT_MAX)
        f = filter or InboundEventFilter()
        check_names(f.topics, "topics")
        chosen = EventFilter(f.channel, f.topics, f.failed, f.waiting)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_events(database, principal, chosen, before, size + 1)
        page = make_page([inbound_event_from_row(row) for row in rows], size, "InboundEventCursor", after)
        return InboundEventConnection(count=partial(count_events, database, principal, chosen), **page)
