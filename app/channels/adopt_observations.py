"""Take what a channel was seen to show for what it shows, under the lease that the listing was claimed with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.channels.base import Observation
from adapters.postgres.database import Database
from app.channels.claim_listings import Claim
from app.channels.observe_listings import UNTRACKED

UNKNOWN = "The channel does not know this item: link the listing again."

_ADOPT = """
WITH given AS (
  SELECT * FROM unnest($2::bigint[], $3::int[], $5::bool[]) AS g (id, quantity, tracked)
), held AS MATERIALIZED (
  SELECT l.id, l.desired = g.quantity AND NOT l.put_back AS settled
  FROM listings l JOIN given g USING (id) WHERE l.lease_owner = $1 ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET
  observed = g.quantity, observed_at = clock_timestamp(),
  acknowledged = coalesce(g.quantity, l.acknowledged),
  acknowledged_version = CASE WHEN held.settled THEN l.desired_version ELSE l.acknowledged_version END,
  acknowledged_at = CASE WHEN held.settled THEN clock_timestamp() ELSE l.acknowledged_at END,
  dirty_since = CASE WHEN held.settled THEN NULL ELSE l.dirty_since END,
  drift_since = NULL, uncertain = g.quantity IS NULL,
  may_show = CASE WHEN c.kind = 'AMAZON' OR l.put_back THEN l.may_show END,
  rejected = g.quantity IS NULL,
  cause = CASE WHEN g.quantity IS NULL THEN 'MAPPING' END,
  error = CASE WHEN NOT g.tracked THEN $6 WHEN g.quantity IS NULL THEN $7 END,
  untracked = NOT g.tracked,
  attempts = CASE WHEN held.settled THEN 0 ELSE l.attempts + 1 END,
  next_attempt_at = CASE WHEN l.desired <> g.quantity AND g.quantity < l.acknowledged
    THEN now() + make_interval(secs => $4) END,
  lease_owner = NULL, lease_until = NULL
FROM given g JOIN held USING (id), channels c WHERE l.id = g.id AND c.id = l.channel_id
RETURNING l.id, l.sku_id, l.external_id, l.rejected, l.error
"""


async def adopt_observations(
    database: Database, owner: str, pairs: Sequence[tuple[Claim, Observation]], wait_seconds: float
) -> list[Any]:
    """A listing that shows what it should is acknowledged, unless its channel put something back meanwhile; the others
    are sent again, compared with what was seen.

    Returns those that cannot be told: the channel does not know them, or does not count them.

    `wait_seconds`: for one that shows less than it took, since the channel sold and its order is on the way.
    """
    rows = await database.hot.fetch(
        _ADOPT,
        owner,
        [claim.id for claim, _ in pairs],
        [seen.quantity for _, seen in pairs],
        wait_seconds,
        [seen.tracked for _, seen in pairs],
        UNTRACKED,
        UNKNOWN,
    )
    return [row for row in rows if row["rejected"]]
