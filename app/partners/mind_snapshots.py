"""Tell of a warehouse whose stock lists have stopped: until the next one nobody knows whether its books are true.

How often they come is learned from the lists themselves, so that a partner who reports nightly but not on Sundays is no
case each Monday. A partner who is called and does not answer is another case (`PARTNER_SILENT`).
"""

from __future__ import annotations

import datetime
from typing import Any

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.snapshots import LISTS_LEARNED, list_due

LOOK_BACK = datetime.timedelta(days=60)
_TIMES = """
SELECT w.id, w.code, array(
  SELECT DISTINCT p.as_of FROM partner_snapshots p
  WHERE p.warehouse_id = w.id AND p.as_of > $1 ORDER BY p.as_of DESC LIMIT $2) AS times
FROM warehouses w
WHERE w.status = 'LIVE' AND EXISTS (SELECT FROM partner_snapshots p WHERE p.warehouse_id = w.id)
  AND NOT EXISTS (SELECT FROM exception_cases c
    WHERE c.kind = 'SNAPSHOT_OVERDUE' AND c.warehouse_id = w.id AND c.state <> 'RESOLVED')
  AND ($3::int[] IS NULL OR w.id = ANY($3))
ORDER BY w.id
"""
"""Warehouses without an open case, with when their last lists were true."""
_LOCK = "SELECT FROM warehouses WHERE id = ANY($1::int[]) ORDER BY id FOR NO KEY UPDATE"
_ELSEWHERE = """
SELECT c.subject, w.status FROM exception_cases c JOIN warehouses w ON w.id = c.warehouse_id
WHERE c.kind = 'SNAPSHOT_OVERDUE' AND c.state <> 'RESOLVED' AND w.status <> 'LIVE'
"""


async def mind_snapshots(state: State, now: datetime.datetime) -> int:
    """Returns how many cases were opened. One of a warehouse that is no longer LIVE ends.

    Judged again under the lock that a list takes: one that comes at the same moment opens no case.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        gone = {row["subject"]: {"status": row["status"]} for row in await connection.fetch(_ELSEWHERE)}
        await resolve_cases(connection, [CaseKind.SNAPSHOT_OVERDUE.value], gone)
        late = await _find_late(connection, now, None)
        if not late:
            return 0
        ids = [problem.warehouse_id for problem in late]
        await connection.execute(_LOCK, ids)
        return len(await open_cases(connection, await _find_late(connection, now, ids)))


async def _find_late(connection: Any, now: datetime.datetime, ids: list[int | None] | None) -> list[Problem]:
    houses = await connection.fetch(_TIMES, now - LOOK_BACK, LISTS_LEARNED, ids)
    return [_describe(house, due) for house in houses if (due := list_due(house["times"])) and due < now]


async def end_overdue(connection: Any, house_id: int, as_of: datetime.datetime) -> None:
    """A list came."""
    proofs = {_subject(house_id): {"asOf": as_of.isoformat()}}
    await resolve_cases(connection, [CaseKind.SNAPSHOT_OVERDUE.value], proofs)


def _describe(house: Any, due: datetime.datetime) -> Problem:
    newest = house["times"][0]
    return Problem(
        CaseKind.SNAPSHOT_OVERDUE,
        Severity.MEDIUM,
        CauseClass.UNKNOWN,
        _subject(house["id"]),
        f"No stock list of {house['code']} since {newest:%Y-%m-%d %H:%M} UTC",
        f"By how they came before, one was due by {due:%Y-%m-%d %H:%M} UTC. Ask the warehouse for it, or send it as a "
        "file (onhand partner snapshot).",
        warehouse_id=house["id"],
    )


def _subject(house_id: int) -> str:
    return f"warehouse:{house_id}"
