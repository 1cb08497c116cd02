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
UPDATE partners SET failures = 0, failing_since = NULL, next_attempt_at = NULL, last_success_at = $2 WHERE id = $1
"""
_FAILURE = """
UPDATE partners SET failures = failures + 1, failing_since = coalesce(failing_since, $2), last_error = $3,
  next_attempt_at = $2 + make_interval(secs => least($4::float8 * 2 ^ least(failures, 20), $5::float8))
WHERE id = $1 RETURNING failing_since, silent_seconds, code, warehouse_id
"""
_NOW = (
    "UPDATE partners SET next_attempt_at = NULL, polled_at = NULL WHERE id = $1",
    """UPDATE partner_orders SET next_attempt_at = least(next_attempt_at, now())
    WHERE partner_id = $1 AND state = 'PENDING'""",
    "UPDATE partner_deliveries SET due_at = least(due_at, now()) WHERE partner_id = $1 AND state = 'PENDING'",
)


async def note_success(connection: Any, partner_id: int, now: datetime.datetime) -> None:
    """It answered. Ends the case."""
    await connection.execute(_SUCCESS, partner_id, now)
    proofs = {f"partner:{partner_id}": {"answeredAt": now.isoformat()}}
    await resolve_cases(connection, [CaseKind.PARTNER_SILENT.value], proofs)


async def note_failure(connection: Any, partner_id: int, fault: Fault, now: datetime.datetime) -> None:
    """It did not. The next try comes later each time, within `BACKOFF_SECONDS_MAX`.

    A refusal of our credentials is a case at once: it will not get better by itself.
    """
    given = (partner_id, now, str(fault)[:500], BACKOFF_SECONDS, BACKOFF_SECONDS_MAX)
    row = await connection.fetchrow(_FAILURE, *given)
    silent = (now - row["failing_since"]).total_seconds() >= row["silent_seconds"]
    if silent or (fault.cause is CauseClass.AUTH and not fault.transient):
        await open_cases(connection, [describe_silence(partner_id, row, str(fault))])


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
