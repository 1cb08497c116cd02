"""Each channel connection's health, shared by all workers: a circuit breaker in the database for each of its scopes.

Failures of whole calls count, refusals of single listings and throttling do not. From `FAILURES_OPEN` on the scope's
circuit opens for a time that doubles; after it one small probe goes through, and its success closes the circuit. A zero
goes out although orders cannot be read, and orders that may not be read are not forgiven because a zero went out.
"""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.errors import CauseClass

FAILURES_OPEN = 3
OPEN_SECONDS = 1.0
OPEN_SECONDS_MAX = 30.0
TURN_SECONDS = 5.0
"""How long nobody else reads after the process whose turn it was has gone without a word. A call may take longer: then
two read, which costs quota and does no harm."""
PROCESS = uuid.uuid4().hex


class Scope(StrEnum):
    """What a channel is called for. Each may fail alone: vendors permit, limit and break them apart.

    OPEN: its credentials are opened, which is no call. QUEUE: where its vendor leaves events, often somebody else's.
    """

    OPEN = "OPEN"
    PUSH = "PUSH"
    SETTLE = "SETTLE"
    OBSERVE = "OBSERVE"
    ORDERS = "ORDERS"
    RETURNS = "RETURNS"
    TELL = "TELL"
    QUEUE = "QUEUE"


SCOPES = {
    "ZERO": Scope.PUSH,
    "BULK": Scope.PUSH,
    "SETTLE": Scope.SETTLE,
    "OBSERVE": Scope.OBSERVE,
    "ORDERS": Scope.ORDERS,
    "RETURNS": Scope.RETURNS,
    "CONFIRM": Scope.TELL,
    "REFUND": Scope.TELL,
    "CANCEL": Scope.TELL,
}
"""By the lane of an attempt."""
UNTIMED = frozenset({Scope.TELL, Scope.OPEN})
_READ = "SELECT failures, open_until FROM channel_circuits WHERE channel_id = $1 AND scope = $2"
_TURN = """
INSERT INTO channel_circuits AS k (channel_id, scope, reader, reads_until)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
ON CONFLICT (channel_id, scope) DO UPDATE SET reader = excluded.reader, reads_until = excluded.reads_until
WHERE k.reader = excluded.reader OR k.reads_until IS NULL OR k.reads_until < now()
RETURNING failures, open_until
"""
_DENIED = """
SELECT EXISTS (
  SELECT FROM channel_circuits
  WHERE channel_id = $1 AND failures > 0 AND cause = 'AUTH' AND scope NOT IN ($2, 'QUEUE'))
"""
_CALLED = """
CASE k.scope
  WHEN 'PUSH' THEN c.status = 'LIVE' AND EXISTS (
    SELECT FROM listings WHERE channel_id = k.channel_id AND desired_version > acknowledged_version AND NOT rejected)
  WHEN 'SETTLE' THEN c.status IN ('LIVE', 'PAUSED') AND EXISTS (
    SELECT FROM listings WHERE channel_id = k.channel_id AND receipt IS NOT NULL)
  WHEN 'OBSERVE' THEN c.status IN ('LIVE', 'SHADOW') AND EXISTS (SELECT FROM listings WHERE channel_id = k.channel_id)
  ELSE k.scope NOT IN ('TELL', 'QUEUE') END
"""
"""Whether a scope will be called again by itself: what is not cannot prove that it works."""
_SUCCEED = f"""
WITH former AS (
  SELECT failures FROM channel_circuits WHERE channel_id = $1 AND scope = $2
), kept AS (
  INSERT INTO channel_circuits AS k (channel_id, scope, succeeded_at) VALUES ($1, $2, clock_timestamp())
  ON CONFLICT (channel_id, scope) DO UPDATE SET succeeded_at = excluded.succeeded_at, failures = 0, open_until = NULL
  WHERE k.failures > 0 OR k.succeeded_at IS NULL OR k.succeeded_at < excluded.succeeded_at - interval '5 seconds'
)
SELECT coalesce((SELECT failures FROM former), 0) AS former, ARRAY(
  SELECT DISTINCT k.cause FROM channel_circuits k JOIN channels c ON c.id = k.channel_id
  WHERE k.channel_id = $1 AND k.scope <> $2 AND (k.failures >= {FAILURES_OPEN} OR k.failures > 0 AND k.cause = 'AUTH')
    AND {_CALLED}) AS causes
"""  # noqa: S608
_FAIL = """
INSERT INTO channel_circuits AS k (channel_id, scope, failures, failed_at, error, cause)
VALUES ($1, $2, 1, clock_timestamp(), $3, $4)
ON CONFLICT (channel_id, scope) DO UPDATE SET failures = k.failures + 1, failed_at = excluded.failed_at,
  error = excluded.error, cause = excluded.cause
RETURNING failures
"""
_OPEN = """
UPDATE channel_circuits SET open_until = now() + make_interval(secs => $3) WHERE channel_id = $1 AND scope = $2
"""
_TRY = """
WITH tried AS (
  SELECT scope FROM channel_circuits WHERE channel_id = $1 AND open_until > now() FOR UPDATE SKIP LOCKED
), closer AS (
  UPDATE channel_circuits k SET open_until = now() FROM tried WHERE k.channel_id = $1 AND k.scope = tried.scope
), failing AS (
  SELECT scope FROM channel_circuits WHERE channel_id = $1 AND failures > 0
)
UPDATE channel_health SET
  orders_polled_at = CASE WHEN 'ORDERS' NOT IN (SELECT scope FROM failing) THEN orders_polled_at END,
  returns_polled_at = CASE WHEN 'RETURNS' NOT IN (SELECT scope FROM failing) THEN returns_polled_at END
WHERE channel_id = $1 AND EXISTS (SELECT FROM failing WHERE scope IN ('ORDERS', 'RETURNS'))
"""


@dataclass(frozen=True, slots=True)
class Health:
    """Of a scope. `failures`: since the last call that worked. `wait_seconds`: until the next call."""

    failures: int
    wait_seconds: float

    @property
    def probing(self) -> bool:
        """Only a small call, to see whether it works again."""
        return self.failures >= FAILURES_OPEN


async def read_health(connection: Any, channel_id: int, scope: Scope) -> Health:
    record = await connection.fetchrow(_READ, channel_id, scope.value)
    return Health(0, 0.0) if record is None else _health(record)


async def take_turn(connection: Any, channel_id: int, scope: Scope) -> Health | None:
    """The health, and for `TURN_SECONDS` nobody but this process reads in this scope; None while another does.

    What two read costs quota twice and says nothing more.
    """
    record = await connection.fetchrow(_TURN, channel_id, scope.value, PROCESS, TURN_SECONDS)
    return None if record is None else _health(record)


def _health(record: Any) -> Health:
    until = record["open_until"]
    wait = 0.0 if until is None else (until - datetime.datetime.now(datetime.UTC)).total_seconds()
    return Health(record["failures"], max(0.0, wait))


async def is_denied(connection: Any, channel_id: int, scope: Scope) -> bool:
    """Whether the channel lets us in for nothing of another scope either, as far as was tried."""
    denied: bool = await connection.fetchval(_DENIED, channel_id, scope.value)
    return denied


async def note_success(connection: Any, channel_id: int, scope: Scope) -> Sequence[str]:
    """Close the circuit. Returns the causes for which other scopes do not work still.

    Writes only when something changes, or once in five seconds. After an outage the others are tried at once.
    """
    record = await connection.fetchrow(_SUCCEED, channel_id, scope.value)
    if record["former"] >= FAILURES_OPEN:
        await try_at_once(connection, channel_id)
    causes: Sequence[str] = record["causes"]
    return causes


async def try_at_once(connection: Any, channel_id: int) -> None:
    """Let a small call through each open circuit now; polls that failed are due."""
    await connection.execute(_TRY, channel_id)


async def note_failure(connection: Any, channel_id: int, scope: Scope, message: str, cause: CauseClass) -> int:
    """Count a failed call; returns how many of the scope in a row. The circuit opens when there are too many.

    Not that of TELL, of which each parcel, refund and cancellation waits for its own next try, nor that of OPEN.
    """
    failures: int = await connection.fetchval(_FAIL, channel_id, scope.value, message[:500], cause.value)
    if failures >= FAILURES_OPEN and scope not in UNTIMED:
        ceiling = min(OPEN_SECONDS_MAX, OPEN_SECONDS * 2.0 ** min(failures - FAILURES_OPEN, 16))
        await connection.execute(_OPEN, channel_id, scope.value, ceiling * (0.5 + random.random() / 2))  # noqa: S311
    return failures
