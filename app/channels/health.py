"""Each channel connection's health, shared by all workers: a circuit breaker in the database.

Failures of whole calls count, refusals of single listings and throttling do not. From `FAILURES_OPEN` on a push that
fails opens the circuit for a time that doubles; after it one small probe goes through, and its success closes the
circuit. What only reads counts too, and keeps no push waiting: a zero goes out although orders cannot be read.
"""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from typing import Any

from domain.errors import CauseClass

FAILURES_OPEN = 3
OPEN_SECONDS = 1.0
OPEN_SECONDS_MAX = 30.0
_READ = "SELECT failures, open_until, last_error, last_cause FROM channel_health WHERE channel_id = $1"
_SUCCEED = """
INSERT INTO channel_health (channel_id, last_success_at) VALUES ($1, clock_timestamp())
ON CONFLICT (channel_id) DO UPDATE SET last_success_at = excluded.last_success_at, failures = 0, open_until = NULL
WHERE channel_health.failures > 0 OR channel_health.last_success_at IS NULL
   OR channel_health.last_success_at < excluded.last_success_at - interval '5 seconds'
"""
_FAIL = """
INSERT INTO channel_health (channel_id, failures, last_failure_at, last_error, last_cause)
VALUES ($1, 1, clock_timestamp(), $2, $3)
ON CONFLICT (channel_id) DO UPDATE SET failures = channel_health.failures + 1,
  last_failure_at = excluded.last_failure_at, last_error = excluded.last_error, last_cause = excluded.last_cause
RETURNING failures
"""
_OPEN = "UPDATE channel_health SET open_until = now() + make_interval(secs => $2) WHERE channel_id = $1"


@dataclass(frozen=True, slots=True)
class Health:
    """`wait_seconds`: until the next call may be made. `probing`: only a small one, to see whether it works again."""

    failures: int
    wait_seconds: float
    error: str | None
    cause: str | None

    @property
    def probing(self) -> bool:
        return self.failures >= FAILURES_OPEN

    @property
    def down(self) -> bool:
        return self.failures >= FAILURES_OPEN


async def read_health(connection: Any, channel_id: int) -> Health:
    record = await connection.fetchrow(_READ, channel_id)
    if record is None:
        return Health(0, 0.0, None, None)
    until = record["open_until"]
    wait = 0.0 if until is None else (until - datetime.datetime.now(datetime.UTC)).total_seconds()
    return Health(record["failures"], max(0.0, wait), record["last_error"], record["last_cause"])


async def note_success(connection: Any, channel_id: int) -> None:
    """Close the circuit. Writes only when something changes, or once in five seconds."""
    await connection.execute(_SUCCEED, channel_id)


async def note_failure(connection: Any, channel_id: int, message: str, cause: CauseClass, *, opens: bool) -> int:
    """Count a failed call; returns how many in a row. `opens`: the circuit, when there are too many."""
    failures: int = await connection.fetchval(_FAIL, channel_id, message[:500], cause.value)
    if opens and failures >= FAILURES_OPEN:
        ceiling = min(OPEN_SECONDS_MAX, OPEN_SECONDS * 2.0 ** min(failures - FAILURES_OPEN, 16))
        await connection.execute(_OPEN, channel_id, ceiling * (0.5 + random.random() / 2))  # noqa: S311
    return failures
