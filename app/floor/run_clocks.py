"""The floor's clocks: what has been waited for too long becomes a case, once."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.exceptions.open_cases import open_cases
from app.floor.find_document import write_label
from app.floor.perform import tell
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

BATCH_MAX = 200
_NEW = """
NOT EXISTS (SELECT FROM exception_cases x
            WHERE x.state <> 'RESOLVED' AND x.kind = $3 AND x.subject = '{subject}:' || d.id)
"""
_CLOCK = """
SELECT d.id, d.number, {house} AS warehouse_id, {channel} AS channel_id FROM {table} d
WHERE {late} AND {new} ORDER BY d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
"""
_OVERDUE = "UPDATE returns SET custody = 'OVERDUE' WHERE id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Clock:
    """What is late: `late` is SQL about `d`, with $1 for the moment before which it is."""

    kind: CaseKind
    severity: Severity
    subject: str
    table: str
    late: str
    title: str
    house: str = "d.warehouse_id"
    channel: str = "NULL::int"

    @property
    def query(self) -> str:
        new = _NEW.format(subject=self.subject)
        return _CLOCK.format(house=self.house, channel=self.channel, table=self.table, late=self.late, new=new)


_WAITING = "EXISTS (SELECT FROM return_lines l WHERE l.return_id = d.id AND l.received > l.inspected AND l.sku_id > 0)"
RETURN_OVERDUE = Clock(
    *(CaseKind.RETURN_OVERDUE, Severity.LOW, "return", "returns"),
    "d.state = 'OPEN' AND d.custody <> 'RECEIVED' AND d.expected_by < $1",
    "has not come",
    channel="d.channel_id",
)
RETURN_UNINSPECTED = Clock(
    *(CaseKind.RETURN_UNINSPECTED, Severity.MEDIUM, "return", "returns"),
    f"d.state = 'OPEN' AND d.received_at < $1 AND {_WAITING}",
    "is received and not inspected",
    channel="d.channel_id",
)
TRANSFER_OVERDUE = Clock(
    *(CaseKind.TRANSFER_OVERDUE, Severity.MEDIUM, "transfer", "transfers"),
    "d.ended_at IS NULL AND d.state IN ('IN_TRANSIT', 'RETURNING') AND d.expected_at < $1",
    "should have arrived",
    house="d.destination_id",
)
TRANSFER_WAITING = Clock(
    *(CaseKind.APPROVAL_WAITING, Severity.MEDIUM, "transfer", "transfers"),
    "d.ended_at IS NULL AND d.state = 'AWAITING_APPROVAL' AND d.created_at < $1",
    "waits for a second person",
    house="d.source_id",
)
ADJUSTMENT_WAITING = Clock(
    *(CaseKind.APPROVAL_WAITING, Severity.MEDIUM, "adjustment", "adjustments"),
    "d.state = 'PENDING' AND d.requested_at < $1",
    "waits for a second person",
)


async def run_clocks(state: State, now: datetime.datetime) -> int:
    """Open a case for each thing that is late by `now`, at most `BATCH_MAX` of a kind; returns how many."""
    settings, hour = state.settings, datetime.timedelta(hours=1)
    inspected_by, approved_by = now - settings.return_inspect_hours * hour, now - settings.approval_hours * hour
    moments = (
        (RETURN_OVERDUE, now),
        (RETURN_UNINSPECTED, inspected_by),
        (TRANSFER_OVERDUE, now),
        (TRANSFER_WAITING, approved_by),
        (ADJUSTMENT_WAITING, approved_by),
    )
    count = 0
    for clock, moment in moments:
        async with state.database.hot.acquire() as connection, connection.transaction():
            count += await _ring(connection, clock, moment)
    if count:
        state.doorbell.ring("feed")
    return count


async def _ring(connection: Any, clock: Clock, moment: datetime.datetime) -> int:
    rows = await connection.fetch(clock.query, moment, BATCH_MAX, clock.kind.value)
    if not rows:
        return 0
    if clock is RETURN_OVERDUE:
        await _note_overdue(connection, rows)
    await open_cases(connection, [_problem(clock, row) for row in rows])
    return len(rows)


async def _note_overdue(connection: Any, rows: Sequence[Any]) -> None:
    ids: list[UUID] = [row["id"] for row in rows]
    await connection.execute(_OVERDUE, ids)
    for row in rows:
        await tell(connection, "return", row["id"], [row["warehouse_id"]], row["channel_id"])


def _problem(clock: Clock, row: Any) -> Problem:
    title = f"{write_label(clock.subject, row['number'])} {clock.title}"
    subject = f"{clock.subject}:{row['id']}"
    return Problem(
        *(clock.kind, clock.severity, CauseClass.UNKNOWN, subject, title, None, row["channel_id"]),
        warehouse_id=row["warehouse_id"],
    )
