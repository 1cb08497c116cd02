"""Claim listings that a channel must be told, and settle what came of it, under a lease.

A claim is a lease with an owner of its own (worker and number), so whoever settles later than its lease finds
nothing to settle: the row belongs to the next. Rows are locked in id order by everyone who locks several.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.channels.base import ListingRef, QuantityWrite
from adapters.postgres.database import Database
from app.channels.relay_stock import SHOWN
from domain.errors import CauseClass


class Lane(StrEnum):
    """`ZERO`: what must not be sold any more. It has claims, quota headroom and a loop of its own."""

    ZERO = "ZERO"
    BULK = "BULK"


_DUE = """
channel_id = $1 AND desired_version > acknowledged_version AND NOT rejected
AND (next_attempt_at IS NULL OR next_attempt_at <= now()) AND (lease_until IS NULL OR lease_until < now())
"""
_CLAIM = """
WITH due AS (
  SELECT id FROM listings WHERE {due} {lane}
  ORDER BY {order} LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE listings l SET lease_owner = $3, lease_until = now() + make_interval(secs => $4)
FROM due WHERE l.id = due.id
RETURNING l.id, l.sku_id, l.external_id, l.location, l.reference, l.desired, l.desired_version, l.dirty_since,
  l.attempts, l.uncertain, {shown} AS shown
"""
_RISK = "greatest(0, coalesce(acknowledged, 0) - desired) * (velocity + 0.001) DESC, dirty_since"
"""Units the channel may oversell, times how fast it sells them: not age, which only breaks ties."""
CLAIMS = {
    Lane.ZERO: _CLAIM.format(due=_DUE, lane="AND desired = 0", order="velocity DESC, dirty_since", shown=SHOWN),
    Lane.BULK: _CLAIM.format(due=_DUE, lane="AND receipt IS NULL", order=_RISK, shown=SHOWN),
}
_PENDING = f"SELECT count(*) FROM (SELECT FROM listings WHERE {_DUE} AND receipt IS NULL LIMIT $2) AS due"  # noqa: S608
_LOCKED = """
WITH given AS (SELECT * FROM unnest($2::bigint[], $3::bigint[], {types}) AS g (id, version, {names})),
held AS MATERIALIZED (
  SELECT l.id FROM listings l JOIN given USING (id) WHERE l.lease_owner = $1 ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET {sets}, lease_owner = NULL, lease_until = NULL
FROM given g JOIN held USING (id) WHERE l.id = g.id
RETURNING l.id, l.channel_id, l.sku_id, l.desired, l.acknowledged, l.desired_version = l.acknowledged_version AS clean
"""
_ACKNOWLEDGE = _LOCKED.format(
    types="$4::int[]",
    names="quantity",
    sets="""
    acknowledged = g.quantity,
    acknowledged_version = CASE WHEN l.desired = g.quantity THEN l.desired_version ELSE g.version END,
    acknowledged_at = clock_timestamp(), uncertain = l.receipt IS NOT NULL, drift_since = NULL,
    dirty_since = CASE WHEN l.desired = g.quantity THEN NULL ELSE l.desired_at END,
    attempts = 0, next_attempt_at = NULL, error = NULL, cause = NULL""",
)
_AWAIT = _LOCKED.format(
    types="$4::int[], $5::text[], $6::text[]",
    names="quantity, receipt, key",
    sets="receipt = g.receipt, receipt_key = g.key, receipt_version = g.version, receipt_quantity = g.quantity",
)
_FAIL = _LOCKED.format(
    types="$4::float8[], $5::bool[], $6::text[], $7::text[], $8::bool[]",
    names="wait, refused, cause, error, uncertain",
    sets="""
    attempts = l.attempts + 1, next_attempt_at = now() + make_interval(secs => g.wait),
    rejected = g.refused AND l.desired_version = g.version, cause = g.cause, error = g.error,
    uncertain = l.uncertain OR g.uncertain""",
)
_RELEASE = """
UPDATE listings SET lease_owner = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM listings WHERE lease_owner = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR UPDATE)
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One listing under lease.

    The write's key is of the intent, listing and version, and of the attempt: a vendor that burns the key of a failed
    attempt takes the next one, and after a lost reply the channel is read before there is a next one. `uncertain`:
    that is still to be done.
    """

    id: int
    sku_id: int
    version: int
    attempts: int
    dirty_since: datetime.datetime | None
    uncertain: bool
    write: QuantityWrite

    @property
    def ref(self) -> ListingRef:
        return ListingRef(self.write.external_id, self.write.location, self.write.reference)


@dataclass(frozen=True, slots=True)
class Failure:
    """`wait_seconds`: before the next try. `refused`: none until something changes. `uncertain`: it may have worked."""

    claim: Claim
    wait_seconds: float
    cause: CauseClass
    message: str
    refused: bool = False
    uncertain: bool = False


async def count_due(database: Database, channel_id: int, limit: int) -> int:
    """Listings that wait to be sent now, counted up to `limit`."""
    return int(await database.hot.fetchval(_PENDING, channel_id, limit))


async def claim_listings(
    database: Database, channel_id: int, lane: Lane, limit: int, owner: str, lease_seconds: float
) -> list[Claim]:
    """At most `limit` due listings, those with the most to lose first."""
    rows = await database.hot.fetch(CLAIMS[lane], channel_id, limit, owner, lease_seconds)
    return [_claim(row) for row in rows]


def _claim(row: Any) -> Claim:
    expected = None if row["uncertain"] or row["desired"] == 0 else row["shown"]
    write = QuantityWrite(
        row["external_id"],
        row["desired"],
        expected,
        f"{row['id']}.{row['desired_version']}.{row['attempts']}",
        row["location"],
        row["reference"],
    )
    return Claim(
        row["id"],
        row["sku_id"],
        row["desired_version"],
        row["attempts"],
        row["dirty_since"],
        row["uncertain"],
        write,
    )


async def acknowledge(database: Database, owner: str, done: Sequence[Claim]) -> list[Any]:
    """Note what the channel took; a listing that moved on stays dirty."""
    if not done:
        return []
    rows: list[Any] = await database.hot.fetch(_ACKNOWLEDGE, owner, *_columns(done))
    return rows


async def await_receipts(database: Database, owner: str, accepted: Sequence[tuple[Claim, str]]) -> None:
    """Note what the channel took in without saying what will come of it: `settle_batches` asks later.

    The bulk lane leaves such a listing alone until then. The zero lane does not; the batch may then be applied after
    the zero, so what it says in the end is not believed and the listing is sent again.
    """
    if accepted:
        claims = [claim for claim, _ in accepted]
        receipts, keys = [receipt for _, receipt in accepted], [claim.write.key for claim in claims]
        await database.hot.execute(_AWAIT, owner, *_columns(claims), receipts, keys)


def _columns(claims: Sequence[Claim]) -> tuple[list[int], list[int], list[int]]:
    return (
        [claim.id for claim in claims],
        [claim.version for claim in claims],
        [claim.write.quantity for claim in claims],
    )


async def fail(database: Database, owner: str, failures: Sequence[Failure]) -> list[Any]:
    """Note what did not work and when to try again."""
    if not failures:
        return []
    rows: list[Any] = await database.hot.fetch(
        _FAIL,
        owner,
        [one.claim.id for one in failures],
        [one.claim.version for one in failures],
        [one.wait_seconds for one in failures],
        [one.refused for one in failures],
        [one.cause.value for one in failures],
        [one.message[:500] for one in failures],
        [one.uncertain for one in failures],
    )
    return rows


async def release(database: Database, owner: str, claims: Sequence[Claim]) -> None:
    """Give claims back untouched: nothing was sent."""
    await database.hot.execute(_RELEASE, owner, [claim.id for claim in claims])
