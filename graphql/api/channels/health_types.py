"""How a channel's connection does, as clients see it: by what it is called for, and as a whole."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import orjson
import strawberry

from app.channels.health import FAILURES_OPEN
from domain.errors import CauseClass

strawberry.enum(CauseClass, description="Why a channel does not do what it should: who can help.")


@strawberry.enum(
    description="UNKNOWN: nothing was asked of it yet. FAILING: the last calls failed. DOWN: the circuit is open, "
    "one small call now and then tries whether it works again."
)
class ChannelHealthState(StrEnum):
    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    FAILING = "FAILING"
    DOWN = "DOWN"


@strawberry.enum(
    description="What a channel is called for; each may fail or be forbidden alone. OPEN: its credentials are opened. "
    "PUSH: quantities. SETTLE: what became of accepted batches. OBSERVE: what it shows. ORDERS, RETURNS: the polls. "
    "TELL: parcels, refunds, cancellations. QUEUE: where its vendor leaves events."
)
class ChannelScope(StrEnum):
    OPEN = "OPEN"
    PUSH = "PUSH"
    SETTLE = "SETTLE"
    OBSERVE = "OBSERVE"
    ORDERS = "ORDERS"
    RETURNS = "RETURNS"
    TELL = "TELL"
    QUEUE = "QUEUE"


@strawberry.type(description="A part of a channel's connection.")
class ChannelCircuit:
    scope: ChannelScope
    state: ChannelHealthState
    failures: int = strawberry.field(description="Calls that failed since the last one that worked.")
    last_success_at: datetime.datetime | None
    last_failure_at: datetime.datetime | None
    last_error: str | None = strawberry.field(description="Of the last failure, also after it is over.")
    last_cause: CauseClass | None
    next_attempt_at: datetime.datetime | None = strawberry.field(
        description="When DOWN: the next try. Null for OPEN and TELL: credentials are tried "
        "every second, and each parcel, refund and cancellation has a next try."
    )


@strawberry.type(description="As its worst part.")
class ChannelHealth:
    state: ChannelHealthState
    failures: int = strawberry.field(description="Of the worst part, calls that failed since the last that worked.")
    last_success_at: datetime.datetime | None = strawberry.field(description="Of any part.")
    last_failure_at: datetime.datetime | None = strawberry.field(description="Of any part.")
    last_error: str | None = strawberry.field(description="Of the worst part, else the last one, also when it is over.")
    last_cause: CauseClass | None
    next_attempt_at: datetime.datetime | None = strawberry.field(description="When DOWN: the next try.")
    orders_complete_until: datetime.datetime | None = strawberry.field(
        description="Every order that changed at the channel up to then has been taken in."
    )
    circuits: list[ChannelCircuit] = strawberry.field(description="What it was called for so far.")


def read_health(circuits: str | None, orders_until: datetime.datetime | None) -> ChannelHealth:
    """`circuits`: a JSON list of the rows of `channel_circuits`, None for none."""
    called = [row for row in orjson.loads(circuits or "[]") if row["succeeded_at"] or row["failed_at"]]
    parts = [_circuit(row) for row in called]
    failing = [part for part in parts if part.failures]
    worst = max(failing, key=lambda part: part.failures, default=None)
    failed = worst or max(parts, key=lambda part: _stamp(part.last_failure_at), default=None)
    state = ChannelHealthState.HEALTHY if parts else ChannelHealthState.UNKNOWN
    return ChannelHealth(
        state=worst.state if worst else state,
        failures=worst.failures if worst else 0,
        last_success_at=_latest([part.last_success_at for part in parts]),
        last_failure_at=_latest([part.last_failure_at for part in parts]),
        last_error=failed.last_error if failed else None,
        last_cause=failed.last_cause if failed else None,
        next_attempt_at=worst.next_attempt_at if worst else None,
        orders_complete_until=orders_until,
        circuits=parts,
    )


def _circuit(row: dict[str, Any]) -> ChannelCircuit:
    state = ChannelHealthState.HEALTHY
    if row["failures"]:
        state = ChannelHealthState.DOWN if row["failures"] >= FAILURES_OPEN else ChannelHealthState.FAILING
    return ChannelCircuit(
        scope=ChannelScope(row["scope"]),
        state=state,
        failures=row["failures"],
        last_success_at=_time(row["succeeded_at"]),
        last_failure_at=_time(row["failed_at"]),
        last_error=row["error"],
        last_cause=CauseClass(row["cause"]) if row["cause"] else None,
        next_attempt_at=_time(row["open_until"]) if state is ChannelHealthState.DOWN else None,
    )


def _time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)


def _latest(times: Sequence[datetime.datetime | None]) -> datetime.datetime | None:
    return max((time for time in times if time is not None), default=None)


def _stamp(time: datetime.datetime | None) -> float:
    return 0.0 if time is None else time.timestamp()
