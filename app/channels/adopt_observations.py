"""Take what a channel was seen to show for what it shows, under the lease that the listing was claimed with."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.channels.base import Observation
from adapters.postgres.database import Database
from app.channels.claim_listings import Claim

_ADOPT = """
WITH given AS (
  SELECT * FROM unnest($2::bigint[], $3::int[]) AS g (id, quantity)
), held AS MATERIALIZED (
  SELECT l.id FROM listings l JOIN given USING (id) WHERE l.lease_owner = $1 ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET
  observed = g.quantity, observed_at = clock_timestamp(),
  acknowledged = coalesce(g.quantity, l.acknowledged),
  acknowledged_version = CASE WHEN l.desired = g.quantity THEN l.desired_version ELSE l.acknowledged_version END,
  acknowledged_at = CASE WHEN l.desired = g.quantity THEN clock_timestamp() ELSE l.acknowledged_at END,
  dirty_since = CASE WHEN l.desired = g.quantity THEN NULL ELSE l.dirty_since END,
  drift_since = NULL, uncertain = g.quantity IS NULL,
  rejected = g.quantity IS NULL,
  cause = CASE WHEN g.quantity IS NULL THEN 'MAPPING' END,
  error = CASE WHEN g.quantity IS NULL THEN 'The channel does not know this item: link the listing again.' END,
  attempts = CASE WHEN l.desired = g.quantity THEN 0 ELSE l.attempts + 1 END,
  next_attempt_at = CASE WHEN l.desired <> g.quantity AND g.quantity < l.acknowledged
    THEN now() + make_interval(secs => $4) END,
  lease_owner = NULL, lease_until = NULL
FROM given g JOIN held USING (id) WHERE l.id = g.id
"""


async def adopt_observations(
    database: Database, owner: str, pairs: Sequence[tuple[Claim, Observation]], wait_seconds: float
) -> None:
    """A listing that shows what it should is acknowledged; the others are sent again, compared with what was seen.

    `wait_seconds`: for one that shows less than it took, since the channel sold and its order is on the way.
    """
    await database.hot.execute(
        _ADOPT,
        owner,
        [claim.id for claim, _ in pairs],
        [seen.quantity for _, seen in pairs],
        wait_seconds,
    )
