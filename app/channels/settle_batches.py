"""Ask what became of batches that a channel only took in, and settle their listings one by one."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapters.channels.base import Throttled, WriteOutcome, WriteResult
from app.channels.health import Scope, take_turn
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

RECEIPTS_MAX = 5
_OPEN = """
SELECT receipt FROM listings
WHERE channel_id = $1 AND receipt IS NOT NULL GROUP BY receipt ORDER BY min(receipt_version) LIMIT $2
"""
_KEYS = "SELECT id, receipt_key, attempts FROM listings WHERE channel_id = $1 AND receipt = $2 ORDER BY id"
_SETTLE = """
WITH given AS (
  SELECT * FROM unnest($3::bigint[], $4::bool[], $5::bool[], $6::text[], $7::text[], $8::float8[])
    AS g (id, applied, refused, cause, error, wait)
), held AS MATERIALIZED (
  SELECT l.id, l.acknowledged_version, l.receipt_version FROM listings l JOIN given USING (id)
  WHERE l.channel_id = $1 AND l.receipt = $2 ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET
  may_show = CASE WHEN g.applied AND NOT overtaken.yes THEN greatest(l.may_show, l.acknowledged)
    WHEN g.refused THEN l.may_show ELSE greatest(l.may_show, l.receipt_quantity) END,
  receipt = NULL, receipt_key = NULL, receipt_version = NULL, receipt_quantity = NULL,
  acknowledged = CASE WHEN g.applied AND NOT overtaken.yes THEN l.receipt_quantity ELSE l.acknowledged END,
  acknowledged_at = CASE WHEN g.applied THEN clock_timestamp() ELSE l.acknowledged_at END,
  acknowledged_version = CASE
    WHEN g.applied AND NOT overtaken.yes AND NOT l.put_back AND l.desired = l.receipt_quantity THEN l.desired_version
    WHEN g.applied AND NOT overtaken.yes THEN l.receipt_version
    ELSE l.acknowledged_version END,
  desired_version = l.desired_version + overtaken.yes::int,
  uncertain = l.uncertain OR overtaken.yes,
  overtaken_owner = CASE WHEN l.lease_owner IS NULL THEN l.overtaken_owner ELSE l.receipt END,
  overtaken_until = CASE WHEN l.lease_owner IS NULL THEN l.overtaken_until ELSE clock_timestamp() END,
  overtaken_quantity = CASE WHEN l.lease_owner IS NULL THEN l.overtaken_quantity ELSE l.receipt_quantity END,
  dirty_since = CASE
    WHEN g.applied AND NOT overtaken.yes AND NOT l.put_back AND l.desired = l.receipt_quantity THEN NULL
    ELSE coalesce(l.dirty_since, clock_timestamp()) END,
  attempts = CASE WHEN g.applied THEN 0 ELSE l.attempts + 1 END,
  next_attempt_at = CASE WHEN g.applied THEN NULL ELSE now() + make_interval(secs => g.wait) END,
  rejected = g.refused AND l.desired_version = l.receipt_version, cause = g.cause, error = g.error
FROM given g
JOIN (SELECT id, acknowledged_version > receipt_version AS yes FROM held) overtaken USING (id)
WHERE l.id = g.id
RETURNING l.id, l.sku_id, l.external_id, old.receipt_quantity = 0 AS zero,
  CASE WHEN g.applied AND NOT overtaken.yes THEN extract(epoch FROM clock_timestamp() - old.dirty_since)::float8
  END AS lag
"""
"""`overtaken`: the zero lane wrote while the batch was under way, so the batch may have undone it: send again.

A zero that is under way just now is not believed either.
"""


class Sent(NamedTuple):
    """A listing of a batch. `attempts`: failures since its channel last took a quantity."""

    listing_id: int
    attempts: int


async def settle_batches(state: State, channel: OpenChannel) -> tuple[int, float]:
    """Ask about a few receipts. Returns how many were settled, and how long to wait: for quota, or an open circuit."""
    assert channel.adapter is not None
    health = await take_turn(state.database.hot, channel.id, Scope.SETTLE)
    if health is None or health.wait_seconds:
        return 0, health.wait_seconds if health else 0.0
    settled, most = 0, 1 if health.probing else RECEIPTS_MAX
    for row in await state.database.hot.fetch(_OPEN, channel.id, most):
        started, started_at = time.monotonic(), datetime.datetime.now(datetime.UTC)
        listings = await state.database.hot.fetch(_KEYS, channel.id, row["receipt"])
        keys = {one["receipt_key"]: Sent(one["id"], one["attempts"]) for one in listings}
        try:
            results = await channel.adapter.settle(row["receipt"], list(keys))
        except Throttled as throttled:
            return settled, throttled.wait_seconds
        except Fault as fault:
            attempt = Attempt(channel, "SETTLE", started_at, time.monotonic() - started, len(keys), 0, 0)
            await note_attempt(state, attempt, fault)
            return settled, 1.0
        if results is None:
            continue
        lags = await _settle(state, channel, row["receipt"], keys, results)
        failed = sum(result.outcome not in (WriteOutcome.OK, WriteOutcome.ACCEPTED) for result in results.values())
        seconds = time.monotonic() - started
        done = len(keys) - failed
        await note_attempt(state, Attempt(channel, "SETTLE", started_at, seconds, len(keys), done, failed, lags))
        settled += 1
    return settled, 0.0


async def _settle(
    state: State, channel: OpenChannel, receipt: str, keys: Mapping[str, Sent], results: Mapping[str, WriteResult]
) -> list[float]:
    """Returns how long each listing that was applied had waited, seconds.

    What failed together is due again together, so that it goes as one batch and not as many small ones.
    """
    missing = WriteResult(WriteOutcome.TRANSIENT, "The batch's report does not mention it.", CauseClass.UNKNOWN)
    pairs = [(sent, results.get(key, missing)) for key, sent in keys.items()]
    share = random.random()  # noqa: S311
    async with state.database.hot.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            _SETTLE,
            channel.id,
            receipt,
            [sent.listing_id for sent, _ in pairs],
            [result.outcome in (WriteOutcome.OK, WriteOutcome.ACCEPTED) for _, result in pairs],
            [result.outcome is WriteOutcome.REFUSED for _, result in pairs],
            [result.cause.value if result.cause else None for _, result in pairs],
            [result.message for _, result in pairs],
            [draw_wait(sent.attempts, result.wait_seconds, share=share) for sent, result in pairs],
        )
        await open_cases(connection, _problems(channel, rows, {sent.listing_id: result for sent, result in pairs}))
    state.doorbell.ring("push")
    return [max(0.0, row["lag"]) for row in rows if row["lag"] is not None]


def _problems(channel: OpenChannel, rows: Sequence[Any], results: Mapping[int, WriteResult]) -> list[Problem]:
    return [
        Problem(
            CaseKind.SYNC_REJECTED,
            Severity.HIGH if row["zero"] else Severity.MEDIUM,
            results[row["id"]].cause or CauseClass.UNKNOWN,
            f"listing:{row['id']}",
            f"{channel.code} refuses the quantity of {row['external_id']}",
            results[row["id"]].message,
            channel.id,
            row["sku_id"],
        )
        for row in rows
        if results[row["id"]].outcome is WriteOutcome.REFUSED
    ]
