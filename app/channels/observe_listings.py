"""Look what a channel really shows, within a budget: first what is only accepted, then what was not seen for longest.

What differs for longer than `drift_seconds` is sent again and becomes a case; the look that shows it right again
resolves the case and is its proof.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Sequence
from typing import Any

from adapters.channels.base import ListingRef, Observation, Throttled
from app.channels.health import Scope, note_success, take_turn
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.channels.share_quota import taking_idle_quota
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

LISTINGS_MAX = 100
PART_MAX = 25
"""Asked and kept at once, so that what was seen is not lost when the quota ends in the middle."""
UNTRACKED = "The channel sells it without counting: have it track quantities there, and it is told again."
HEALTHY = (CaseKind.SYNC_REJECTED.value, CaseKind.DRIFT.value)
_NEXT = """
SELECT id, external_id, location, reference, drift_since FROM listings
WHERE channel_id = $1 AND (observed_at IS NULL OR observed_at < now() - make_interval(secs => $3))
ORDER BY (drift_since IS NOT NULL OR acknowledged_at > observed_at) IS NOT TRUE, observed_at NULLS FIRST
LIMIT $2
"""
_NOTE = """
WITH given AS (
  SELECT * FROM unnest($2::text[], $3::text[], $4::int[], $7::bool[])
    AS g (external_id, location, quantity, tracked)
), held AS MATERIALIZED (
  SELECT l.id, g.quantity, l.desired_version = l.acknowledged_version AS clean,
    NOT g.tracked AS untracked, l.untracked AND g.tracked AS counted,
    NOT g.tracked AND NOT (l.untracked AND l.rejected) AS "new",
    CASE WHEN NOT g.tracked OR g.quantity IS NOT DISTINCT FROM l.acknowledged THEN NULL
         WHEN l.acknowledged_at IS NULL OR l.acknowledged_at > $5 THEN l.drift_since
         ELSE coalesce(l.drift_since, $5) END AS drift,
    l.lease_owner IS NULL AND l.receipt IS NULL AND c.status = 'LIVE' AS free,
    l.lease_owner IS NULL AND NOT l.uncertain AND l.acknowledged_at < $5 AND g.quantity <= l.acknowledged
      AND NOT l.put_back AS confirmed,
    g.quantity = l.desired AND c.kind <> 'AMAZON' AND NOT l.uncertain AND NOT l.put_back AND l.desired_at < $5
      AND (l.acknowledged_at IS NULL OR l.acknowledged_at < $5) AS "right"
  FROM listings l JOIN given g USING (external_id, location) JOIN channels c ON c.id = l.channel_id
  WHERE l.channel_id = $1 AND (l.observed_at IS NULL OR l.observed_at <= $5) ORDER BY l.id FOR UPDATE OF l
), judged AS (
  SELECT *, coalesce(free AND clean AND drift < $5 - make_interval(secs => $6), false) AS again,
    coalesce(free AND NOT clean AND "right" AND NOT counted, false) AS told
  FROM held
)
UPDATE listings l SET observed = j.quantity, observed_at = $5,
  drift_since = CASE WHEN j.told THEN NULL WHEN j.again THEN $5 ELSE j.drift END,
  may_show = CASE WHEN j.told OR j.confirmed THEN NULL ELSE l.may_show END,
  acknowledged = CASE WHEN j.told THEN j.quantity ELSE l.acknowledged END,
  acknowledged_at = CASE WHEN j.told THEN $5 ELSE l.acknowledged_at END,
  acknowledged_version = CASE WHEN j.told THEN l.desired_version ELSE l.acknowledged_version END,
  desired_version = l.desired_version + (j.again OR j.counted)::int,
  uncertain = l.uncertain OR j.again OR j.counted,
  dirty_since = CASE WHEN j.told THEN NULL WHEN j.again THEN j.drift WHEN j.counted THEN $5 ELSE l.dirty_since END,
  next_attempt_at = CASE WHEN j.again OR j.counted THEN NULL ELSE l.next_attempt_at END,
  untracked = j.untracked,
  rejected = j.untracked OR (l.rejected AND NOT j.counted),
  cause = CASE WHEN j.untracked THEN 'MAPPING' WHEN j.counted THEN NULL ELSE l.cause END,
  error = CASE WHEN j.untracked THEN $8 WHEN j.counted THEN NULL ELSE l.error END
FROM judged j WHERE l.id = j.id
RETURNING l.id, l.sku_id, l.external_id, l.observed, l.acknowledged, l.desired, j.drift, j.again, j.counted, j."new",
  (j.clean OR j.told) AND NOT j.counted AS clean
"""


async def observe_listings(state: State, channel: OpenChannel) -> tuple[int, float]:
    """Observe one bounded batch. Returns how many were seen, and how long to wait: for quota, or an open circuit."""
    assert channel.adapter is not None
    health = await take_turn(state.database.hot, channel.id, Scope.OBSERVE)
    if health is None or health.wait_seconds:
        return 0, health.wait_seconds if health else 0.0
    most, again_seconds = 1 if health.probing else LISTINGS_MAX, state.settings.observe_again_seconds
    rows = await state.database.hot.fetch(_NEXT, channel.id, most, again_seconds)
    if not rows:
        return 0, 0.0
    seen = 0
    for start in range(0, len(rows), PART_MAX):
        part = rows[start : start + PART_MAX]
        if start and await take_turn(state.database.hot, channel.id, Scope.OBSERVE) is None:
            return seen, 0.0
        wait_seconds = await _observe_part(state, channel, part, failing=health.failures > 0)
        if wait_seconds:
            return seen, wait_seconds
        seen += len(part)
    return seen, 0.0


async def _observe_part(state: State, channel: OpenChannel, rows: Sequence[Any], *, failing: bool) -> float:
    """Seconds to wait when it could not be done. What differs already is worth more than idle quota.

    A look that works is on record only when it ends a failure: there are too many.
    """
    assert channel.adapter is not None
    started, started_at = time.monotonic(), datetime.datetime.now(datetime.UTC)
    refs = [ListingRef(row["external_id"], row["location"], row["reference"]) for row in rows]
    differs = any(row["drift_since"] is not None for row in rows)
    try:
        with contextlib.nullcontext() if differs else taking_idle_quota():
            seen = await channel.adapter.observe(refs)
    except Throttled as throttled:
        return throttled.wait_seconds or 1.0
    except Fault as fault:
        attempt = Attempt(channel, "OBSERVE", started_at, time.monotonic() - started, len(refs), 0, len(refs))
        await note_attempt(state, attempt, fault)
        return 1.0
    await note_observations(state, channel, seen, started_at)
    if failing:
        attempt = Attempt(channel, "OBSERVE", started_at, time.monotonic() - started, len(refs), len(refs), 0)
        await note_attempt(state, attempt)
    else:
        await note_success(state.database.hot, channel.id, Scope.OBSERVE)
    return 0.0


async def note_observations(
    state: State, channel: OpenChannel, seen: Sequence[Observation], at: datetime.datetime
) -> None:
    """Keep what was so at `at`: what was acknowledged or seen since is not contradicted by it.

    `at`: before the call that looked, or when the channel says that it happened; its word may come late.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            _NOTE,
            channel.id,
            [one.external_id for one in seen],
            [one.location for one in seen],
            [one.quantity for one in seen],
            at,
            state.settings.drift_seconds,
            [one.tracked for one in seen],
            UNTRACKED,
        )
        proofs = {f"listing:{row['id']}": _proof(row, at) for row in rows if _healthy(row)}
        resolved = await resolve_cases(connection, HEALTHY, proofs)
        drifted = [_drift(channel, row) for row in rows if row["again"]]
        uncounted = [describe_mapping(channel, row, UNTRACKED) for row in rows if row["new"]]
        await open_cases(connection, [*drifted, *uncounted])
    if drifted or resolved or uncounted:
        state.doorbell.ring("feed")
    if drifted or any(row["counted"] for row in rows):
        state.doorbell.ring("push")


def describe_mapping(channel: OpenChannel, row: Any, message: str) -> Problem:
    """A listing that cannot be told, until somebody changes it at the channel or links another."""
    return Problem(
        CaseKind.SYNC_REJECTED,
        Severity.HIGH,
        CauseClass.MAPPING,
        f"listing:{row['id']}",
        f"{channel.code} cannot be told the quantity of {row['external_id']}",
        message,
        channel.id,
        row["sku_id"],
    )


def _healthy(row: Any) -> bool:
    return row["clean"] and row["observed"] is not None and row["observed"] == row["desired"]


def _proof(row: Any, at: datetime.datetime) -> dict[str, Any]:
    return {"observed": row["observed"], "desired": row["desired"], "observedAt": at}


def _drift(channel: OpenChannel, row: Any) -> Problem:
    shown = "nothing" if row["observed"] is None else row["observed"]
    return Problem(
        CaseKind.DRIFT,
        Severity.HIGH if (row["observed"] or 0) > (row["desired"] or 0) else Severity.MEDIUM,
        CauseClass.UNKNOWN,
        f"listing:{row['id']}",
        f"{channel.code} shows {shown} for {row['external_id']}, not {row['desired']}",
        f"It took {row['acknowledged']} and has differed since {row['drift']:%Y-%m-%d %H:%M:%S} UTC: sent again.",
        channel.id,
        row["sku_id"],
    )
