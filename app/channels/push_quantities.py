"""Tell channels their new quantities: claim, send outside any transaction, settle only what was sent."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from typing import Any

import structlog

from adapters.channels.base import QuantityWrite, Throttled, WriteOutcome, WriteResult
from app.channels.connect_channel import open_channel
from app.metrics import PUSH_LAG_SECONDS
from app.state import State
from domain.errors import Fault

BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 300.0
_CHANNELS = "SELECT id, code, base_url, location_id, credentials FROM channels WHERE status = 'LIVE' ORDER BY id"
_CLAIM = """
WITH due AS (
  SELECT id FROM listings
  WHERE channel_id = $1 AND desired_version > acknowledged_version AND NOT rejected
    AND (next_attempt_at IS NULL OR next_attempt_at <= now()) AND (lease_until IS NULL OR lease_until < now())
  ORDER BY desired_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE listings l SET lease_owner = $3, lease_until = now() + make_interval(secs => $4)
FROM due WHERE l.id = due.id
RETURNING l.id, l.external_id, l.desired, l.desired_version, l.desired_at, l.attempts
"""
_ACKNOWLEDGE = """
UPDATE listings l SET acknowledged = s.quantity, acknowledged_version = s.version, acknowledged_at = now(),
  attempts = 0, next_attempt_at = NULL, lease_owner = NULL, lease_until = NULL, error = NULL
FROM unnest($2::bigint[], $3::int[], $4::bigint[]) AS s (id, quantity, version)
WHERE l.id = s.id AND l.lease_owner = $1
"""
_FAIL = """
UPDATE listings l SET attempts = l.attempts + 1, next_attempt_at = now() + make_interval(secs => f.wait),
  rejected = f.refused AND l.desired_version = f.version, error = f.error, lease_owner = NULL, lease_until = NULL
FROM unnest($2::bigint[], $3::bigint[], $4::float8[], $5::bool[], $6::text[]) AS f (id, version, wait, refused, error)
WHERE l.id = f.id AND l.lease_owner = $1
"""
log = structlog.get_logger()


async def list_live_channels(state: State) -> list[Any]:
    return list(await state.database.hot.fetch(_CHANNELS))


async def push_quantities(state: State, channel: Any, owner: str) -> int:
    """Push one batch of a channel's dirty listings; returns how many were acknowledged.

    A listing whose desired quantity moved meanwhile stays dirty, since only the version sent is acknowledged.
    """
    settings = state.settings
    listings = await state.database.hot.fetch(
        _CLAIM, channel["id"], settings.push_batch_max, owner, settings.push_lease_seconds
    )
    if not listings:
        return 0
    wait_seconds = None
    try:
        results = await open_channel(state.http, settings, channel).set_quantities([_write(row) for row in listings])
    except Fault as fault:
        outcome = WriteOutcome.TRANSIENT if fault.transient else WriteOutcome.REFUSED
        results = [WriteResult(outcome, str(fault))] * len(listings)
        wait_seconds = fault.wait_seconds if isinstance(fault, Throttled) else None
        log.warning("a push failed", channel=channel["code"], error=str(fault), transient=fault.transient)
    return await _settle(state, channel, owner, list(zip(listings, results, strict=True)), wait_seconds)


def _write(row: Any) -> QuantityWrite:
    return QuantityWrite(
        row["external_id"], row["desired"], None, f"{row['id']}.{row['desired_version']}.{row['attempts']}"
    )


async def _settle(
    state: State, channel: Any, owner: str, pairs: Sequence[tuple[Any, WriteResult]], wait_seconds: float | None
) -> int:
    good = [row for row, result in pairs if result.outcome is WriteOutcome.OK]
    bad = [(row, result) for row, result in pairs if result.outcome is not WriteOutcome.OK]
    if good:
        columns = [[row[name] for row in good] for name in ("id", "desired", "desired_version")]
        await state.database.hot.execute(_ACKNOWLEDGE, owner, *columns)
        now = datetime.datetime.now(datetime.UTC)
        for row in good:
            PUSH_LAG_SECONDS.labels(channel["code"]).observe(max(0.0, (now - row["desired_at"]).total_seconds()))
    if bad:
        await state.database.hot.execute(
            _FAIL,
            owner,
            [row["id"] for row, _ in bad],
            [row["desired_version"] for row, _ in bad],
            [_wait(row["attempts"], wait_seconds) for row, _ in bad],
            [result.outcome is WriteOutcome.REFUSED for _, result in bad],
            [result.message for _, result in bad],
        )
    return len(good)


def _wait(attempts: int, named_seconds: float | None) -> float:
    """Exponential with full jitter, on top of what the channel named."""
    ceiling: float = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2.0 ** min(attempts, 20))
    return (named_seconds or 0.0) + random.random() * ceiling  # noqa: S311
