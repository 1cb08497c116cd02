"""Claim listings that a channel must be told, and settle what came of it, under a lease.

A claim is a lease with an owner of its own (worker and number), so whoever settles later than its lease finds
nothing to settle: the row belongs to the next. Rows are locked in id order by everyone who locks several.

A fall to zero does not wait for a bulk write that is under way: the zero lane takes the lease over. The vendor may
apply the two in either order, so such a zero is not believed and is sent again once the bulk call has ended: its
worker says so, or its lease runs out. Until then the bulk lane leaves the listing alone.

`may_show` is what the channel may show besides what it acknowledged: what a lost reply or a dead worker may have left
there, and after an answer that only takes a write in, what it showed before. `put_back`: it may have put units on sale
again by itself (`note_put_back`), and no call that was under way then settles that.
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
AND (next_attempt_at IS NULL OR next_attempt_at <= now())
"""
_FREE = "(lease_until IS NULL OR lease_until < now())"
_BULK = f"AND {_FREE} AND receipt IS NULL AND (overtaken_until IS NULL OR overtaken_until <= now())"
_ZERO = f"AND desired = 0 AND ({_FREE} OR lease_lane = 'BULK')"
_OVERTAKEN = """
overtaken_{0} = CASE WHEN l.lease_until >= now() THEN l.lease_{0}
  WHEN l.overtaken_until > now() THEN l.overtaken_{0} END
"""
_TAKE_OVER = ", ".join(_OVERTAKEN.format(name) for name in ("owner", "until", "quantity"))
_CLAIM = """
WITH due AS (
  SELECT id FROM listings WHERE {due} {lane}
  ORDER BY {order} LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE listings l SET {take_over}, lease_owner = $3, lease_until = now() + make_interval(secs => $4),
  lease_lane = $5, lease_quantity = l.desired, put_back = false,
  may_show = greatest(l.may_show, l.overtaken_quantity, CASE WHEN l.lease_owner IS NOT NULL THEN l.lease_quantity END)
FROM due WHERE l.id = due.id
RETURNING l.id, l.sku_id, l.external_id, l.location, l.reference, l.desired, l.desired_version, l.dirty_since,
  l.attempts, l.uncertain, {shown} AS shown
"""
_RISK = "greatest(0, coalesce(acknowledged, 0) - desired) * (velocity + 0.001) DESC, dirty_since"
"""Units the channel may oversell, times how fast it sells them: not age, which only breaks ties."""
CLAIMS = {
    Lane.ZERO: _CLAIM.format(
        due=_DUE, lane=_ZERO, order="velocity DESC, dirty_since", shown=SHOWN, take_over=_TAKE_OVER
    ),
    Lane.BULK: _CLAIM.format(due=_DUE, lane=_BULK, order=_RISK, shown=SHOWN, take_over=_TAKE_OVER),
}
_PENDING = f"SELECT count(*) FROM (SELECT FROM listings WHERE {_DUE} {_BULK} LIMIT $2) AS due"  # noqa: S608
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
    types="$4::int[], $5::bool[]",
    names="quantity, applied",
    sets="""
    may_show = CASE WHEN NOT g.applied OR l.overtaken_owner IS NOT NULL OR l.put_back
      THEN greatest(l.may_show, l.acknowledged) END,
    acknowledged = g.quantity,
    desired_version = l.desired_version + (l.overtaken_owner IS NOT NULL)::int,
    acknowledged_version = CASE
      WHEN l.desired = g.quantity AND l.overtaken_owner IS NULL AND NOT l.put_back THEN l.desired_version
      ELSE g.version END,
    acknowledged_at = clock_timestamp(), drift_since = NULL,
    uncertain = l.receipt IS NOT NULL OR l.overtaken_owner IS NOT NULL,
    dirty_since = CASE WHEN l.overtaken_owner IS NOT NULL THEN clock_timestamp() WHEN l.put_back THEN l.dirty_since
      WHEN l.desired = g.quantity THEN NULL ELSE l.desired_at END,
    attempts = 0, next_attempt_at = CASE WHEN l.overtaken_until > now() THEN l.overtaken_until END,
    error = NULL, cause = NULL""",
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
    may_show = CASE WHEN g.uncertain THEN greatest(l.may_show, l.lease_quantity) ELSE l.may_show END,
    uncertain = l.uncertain OR g.uncertain""",
)
_RELEASE = """
UPDATE listings SET lease_owner = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM listings WHERE lease_owner = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR UPDATE)
"""

_KEEP = """
UPDATE listings SET
  lease_until = CASE WHEN lease_owner = $1 THEN now() + make_interval(secs => $3) ELSE lease_until END,
  overtaken_until = CASE WHEN overtaken_owner = $1 THEN now() + make_interval(secs => $3) ELSE overtaken_until END
WHERE id IN (
  SELECT id FROM listings WHERE id = ANY($2::bigint[]) AND (lease_owner = $1 OR overtaken_owner = $1)
  ORDER BY id FOR UPDATE)
"""
_END = """
WITH given AS (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::text[])
    AS g (id, version, quantity, receipt, key)
), held AS MATERIALIZED (
  SELECT l.id FROM listings l JOIN given USING (id) WHERE l.overtaken_owner = $1 ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET overtaken_until = clock_timestamp(), next_attempt_at = NULL,
  receipt = coalesce(l.receipt, g.receipt), receipt_key = CASE WHEN l.receipt IS NULL THEN g.key ELSE l.receipt_key END,
  receipt_version = CASE WHEN l.receipt IS NULL AND g.receipt IS NOT NULL THEN g.version ELSE l.receipt_version END,
  receipt_quantity = CASE WHEN l.receipt IS NULL AND g.receipt IS NOT NULL THEN g.quantity ELSE l.receipt_quantity END
FROM given g JOIN held USING (id) WHERE l.id = g.id
RETURNING l.id
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
    rows = await database.hot.fetch(CLAIMS[lane], channel_id, limit, owner, lease_seconds, lane.value)
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


async def acknowledge(database: Database, owner: str, done: Sequence[Claim], taken: Sequence[Claim] = ()) -> list[Any]:
    """Note what the channel applied, and what it has only taken; a listing that moved on stays dirty."""
    both = [*done, *taken]
    if not both:
        return []
    applied = [True] * len(done) + [False] * len(taken)
    rows: list[Any] = await database.hot.fetch(_ACKNOWLEDGE, owner, *_columns(both), applied)
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


async def keep_leases(database: Database, owner: str, claims: Sequence[Claim], lease_seconds: float) -> None:
    """Have the leases run `lease_seconds` from now: the call goes on. What was taken over waits for it as long."""
    await database.hot.execute(_KEEP, owner, [claim.id for claim in claims], lease_seconds)


async def end_overtaken(
    database: Database, owner: str, claims: Sequence[Claim], accepted: Sequence[tuple[Claim, str]]
) -> int:
    """The call has ended: zeros that overtook it are sent again now. Returns how many.

    A receipt is noted all the same: its batch will be applied after the zero, and is not believed then.
    """
    receipts = {claim.id: receipt for claim, receipt in accepted}
    rows = await database.hot.fetch(
        _END,
        owner,
        *_columns(claims),
        [receipts.get(claim.id) for claim in claims],
        [claim.write.key if claim.id in receipts else None for claim in claims],
    )
    return len(rows)


async def release(database: Database, owner: str, claims: Sequence[Claim]) -> None:
    """Give claims back untouched: nothing was sent."""
    await database.hot.execute(_RELEASE, owner, [claim.id for claim in claims])
