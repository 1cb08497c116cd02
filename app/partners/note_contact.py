"""Whether a partner can be reached: counted on its row, and one case while it is silent for too long."""

from __future__ import annotations

import datetime
from typing import Any

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 5.0, 300.0
_SUCCESS = """
UPDATE partners SET failures = 0, failing_since = NULL, next_attempt_at = NULL, last_success_at = $2,
  unheard_since = CASE WHEN NOT $3 THEN unheard_since END
WHERE id = $1 RETURNING unheard_since
"""
_FAILURE = """
UPDATE partners SET failures = failures + 1, failing_since = coalesce(failing_since, $2), last_error = $3,
  unheard_since = CASE WHEN $6 THEN coalesce(unheard_since, $2) ELSE unheard_since END,
  next_attempt_at = $2 + make_interval(secs => least($4::float8 * 2 ^ least(failures, 20), $5::float8))
WHERE id = $1 RETURNING least(failing_since, unheard_since) AS failing_since, silent_seconds, code, warehouse_id
"""
_UNHEARD = """
UPDATE partners SET unheard_since = coalesce(unheard_since, $2), last_error = $3, failures = 0, failing_since = NULL,
  next_attempt_at = NULL, last_success_at = $2
WHERE id = $1 RETURNING unheard_since AS failing_since, silent_seconds, code, warehouse_id
"""
_NOW = (
    "UPDATE partners SET next_attempt_at = NULL, polled_at = NULL WHERE id = $1",
    """UPDATE partner_orders SET next_attempt_at = least(next_attempt_at, now())
    WHERE partner_id = $1 AND state = 'PENDING'""",
    "UPDATE partner_deliveries SET due_at = least(due_at, now()) WHERE partner_id = $1 AND state = 'PENDING'",
)


async def note_success(connection: Any, partner_id: int, now: datetime.datetime, *, heard: bool = False) -> None:
    """It answered. Ends the case, unless what it has to say could not be read for a while.

    `heard`: all that it had to say was.
    """
    if await connection.fetchval(_SUCCESS, partner_id, now, heard) is None:
        proofs = {f"partner:{partner_id}": {"answeredAt": now.isoformat()}}
        await resolve_cases(connection, [CaseKind.PARTNER_SILENT.value], proofs)


async def note_failure(
    connection: Any, partner_id: int, fault: Fault, now: datetime.datetime, *, unheard: bool = False
) -> None:
    """It did not. The next try comes later each time, within `BACKOFF_SECONDS_MAX`.

    A refusal of our credentials is a case at once: it will not get better by itself. `unheard`: it was asked what has
    happened; as long as that fails, it is silent however well it takes orders.
    """
    given = (partner_id, now, str(fault)[:500], BACKOFF_SECONDS, BACKOFF_SECONDS_MAX, unheard)
    row = await connection.fetchrow(_FAILURE, *given)
    at_once = fault.cause is CauseClass.AUTH and not fault.transient
    await _tell_silence(connection, partner_id, row, str(fault), now, at_once=at_once)


async def note_unheard(connection: Any, partner_id: int, error: str, now: datetime.datetime) -> None:
    """It answered, and some of what it said cannot be read: nothing is asked later for that."""
    row = await connection.fetchrow(_UNHEARD, partner_id, now, error[:500])
    await _tell_silence(connection, partner_id, row, error[:500], now)


async def _tell_silence(
    connection: Any, partner_id: int, row: Any, error: str, now: datetime.datetime, *, at_once: bool = False
) -> None:
    if at_once or (now - row["failing_since"]).total_seconds() >= row["silent_seconds"]:
        await open_cases(connection, [describe_silence(partner_id, row, error)])


async def try_partner(connection: Any, partner_id: int) -> None:
    """The next look at it, and what waits for it, is due now."""
    for statement in _NOW:
        await connection.execute(statement, partner_id)


def describe_silence(partner_id: int, row: Any, error: str) -> Problem:
    return Problem(
        CaseKind.PARTNER_SILENT,
        Severity.HIGH,
        CauseClass.OUTAGE,
        f"partner:{partner_id}",
        f"Partner {row['code']} does not answer",
        f"Since {row['failing_since']:%Y-%m-%d %H:%M} UTC. {error}",
        warehouse_id=row["warehouse_id"],
    )
