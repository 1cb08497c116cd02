"""From the change feed to what each listing should show. Position and listings move in one transaction."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from adapters.postgres.feed import FeedEvent, read_page
from adapters.postgres.relays import lock_place, move_place
from app.state import State

PAGE_MAX = 1_000
NAME = "publish"
_KITS = "SELECT kit_id, component_id FROM kit_components WHERE component_id = ANY($1::int[])"
SELLABLE = """
SELECT coalesce(sum(greatest(0, v.available - coalesce(l.safety_stock, c.safety_stock, v.safety_stock))), 0)::bigint
         AS sellable,
       coalesce(sum(v.available), 0)::bigint AS available
FROM channel_warehouses cw
JOIN warehouses w ON w.id = cw.warehouse_id AND w.status = 'LIVE'
JOIN LATERAL (
  SELECT v.available, v.safety_stock FROM stock_levels v WHERE v.warehouse_id = cw.warehouse_id AND v.sku_id = l.sku_id
    AND NOT EXISTS (SELECT FROM kit_components p WHERE p.kit_id = l.sku_id)
  UNION ALL
  SELECT m.made, m.made - m.safe FROM (
    SELECT min(coalesce(v.available, 0) / p.quantity) AS made,
      min(greatest(0, coalesce(v.available - v.safety_stock, 0)) / p.quantity) AS safe
    FROM kit_components p LEFT JOIN stock_levels v ON v.warehouse_id = cw.warehouse_id AND v.sku_id = p.component_id
    WHERE p.kit_id = l.sku_id
  ) m WHERE m.made IS NOT NULL
) v ON true
WHERE cw.channel_id = l.channel_id AND cw.location = l.location AND cw.status = 'LIVE'
  AND (l.warehouses IS NULL OR w.code = ANY(l.warehouses))
"""
"""For a listing `l` of a channel `c`: what its source warehouses hold; of a kit what its components there make."""
PUBLISHED = """
CASE WHEN k.frozen OR c.frozen OR l.frozen OR p.shown < coalesce(l.minimum, c.minimum) THEN 0 ELSE p.shown END
"""
UNITS = """
SELECT u.shown - u.shown % coalesce(l.multiple, c.multiple) AS shown FROM (SELECT greatest(0, least(
  a.sellable * coalesce(l.share_percent, c.share_percent) / 100 - coalesce(l.buffer, c.buffer) - l.adaptive_buffer,
  coalesce(l.maximum, c.maximum)))::int AS shown) u
"""
"""`domain.publish.compute_published` as SQL: a test holds the two together."""
SHOWN = "CASE WHEN l.observed_at > l.acknowledged_at THEN coalesce(l.observed, l.acknowledged) ELSE l.acknowledged END"
"""What a listing `l` shows, as far as we know: what was last seen or taken, whichever is newer."""
_CHOSEN = "($1::int[] IS NULL OR l.sku_id = ANY($1)) AND ($2::int IS NULL OR l.channel_id = $2)"
_LOCK = f"SELECT FROM listings l WHERE {_CHOSEN} ORDER BY l.id FOR UPDATE"
_RECOMPUTE = f"""
WITH changed AS (SELECT * FROM unnest($1::int[], $3::timestamptz[]) AS u (sku_id, at)),
computed AS (
  SELECT l.id, {PUBLISHED} AS desired, coalesce(changed.at, clock_timestamp()) AS at,
    c.kind = 'B2B' AND c.status = 'LIVE' AS ours,
    {PUBLISHED} = {SHOWN} AND c.kind <> 'AMAZON' AND NOT l.uncertain AND NOT l.put_back
      AND l.lease_owner IS NULL AND l.receipt IS NULL AS shown_already
  FROM listings l
  JOIN channels c ON c.id = l.channel_id
  JOIN skus k ON k.id = l.sku_id
  LEFT JOIN changed ON changed.sku_id = l.sku_id
  CROSS JOIN LATERAL ({SELLABLE}) a
  CROSS JOIN LATERAL ({UNITS}) p
  WHERE {_CHOSEN}
)
UPDATE listings l SET
  desired = d.desired,
  desired_version = l.desired_version + 1,
  desired_at = d.at,
  dirty_since = CASE WHEN d.ours OR d.shown_already THEN NULL
    WHEN l.desired_version > l.acknowledged_version THEN l.dirty_since ELSE d.at END,
  acknowledged = CASE WHEN d.ours OR d.shown_already THEN d.desired ELSE l.acknowledged END,
  acknowledged_at = CASE WHEN d.ours OR d.shown_already THEN clock_timestamp() ELSE l.acknowledged_at END,
  acknowledged_version = CASE WHEN d.ours OR d.shown_already THEN l.desired_version + 1 ELSE l.acknowledged_version END,
  drift_since = CASE WHEN d.shown_already THEN NULL ELSE l.drift_since END,
  may_show = CASE WHEN d.shown_already THEN NULL ELSE l.may_show END,
  rejected = l.rejected AND l.cause IN ('MAPPING', 'POLICY'),
  next_attempt_at = CASE WHEN l.attempts = 0 OR d.desired = 0 THEN NULL ELSE l.next_attempt_at END
FROM computed d
WHERE d.id = l.id AND l.desired IS DISTINCT FROM d.desired
RETURNING l.id, l.desired
"""  # noqa: S608
"""`ours`: direct B2B shows what our own API answers, so what it should show is what it shows.

`shown_already`: most often the channel sold the unit itself and said so. Not believed of Amazon, which may still show
what it showed before a quantity it has accepted.
"""


async def recompute_desired(
    connection: Any,
    sku_ids: Sequence[int] | None = None,
    changed_at: Sequence[datetime.datetime] | None = None,
    channel_id: int | None = None,
) -> int:
    """Bring `desired` of the SKUs' listings up to date (None: of all SKUs), within the caller's transaction.

    The rows are locked by a statement of its own: stock, policy and freeze are then read as they are, and not as
    they were before waiting for somebody who had read newer ones. Returns how many changed.

    `changed_at`: when each SKU's stock changed, so that lag is measured from there. A listing that shows the new
    quantity already is not made dirty.
    """
    skus = None if sku_ids is None else list(sku_ids)
    times = None if changed_at is None else list(changed_at)
    if skus is not None and times is None:
        times = [datetime.datetime.now(datetime.UTC)] * len(skus)
    await connection.execute(_LOCK, skus, channel_id)
    return len(await connection.fetch(_RECOMPUTE, skus, channel_id, times))


async def relay_stock(state: State) -> tuple[int, bool]:
    """Relay one page. Returns the rows read and whether a running transaction holds more back.

    Several workers are harmless: the row of the position is locked while one is at it.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        after = await lock_place(connection, NAME)
        page = await read_page(connection, after, PAGE_MAX)
        lost = after < page.horizon
        changed = await _recompute_page(connection, page.events, lost)
        await move_place(connection, NAME, page, lost=lost)
    if changed:
        state.doorbell.ring("push")
    return len(page.events), page.pending


async def _recompute_page(connection: Any, events: Sequence[FeedEvent], lost: bool) -> int:
    """After lost rows every listing is computed anew; else those of the page, timed from their first change in it."""
    if lost:
        return await recompute_desired(connection)
    first: dict[int, datetime.datetime] = {}
    for event in events:
        if event.topic == "stock" and event.sku_id is not None:
            first.setdefault(event.sku_id, event.created_at)
    if not first:
        return 0
    for kit_id, component_id in await connection.fetch(_KITS, list(first)):
        first[kit_id] = min(first.get(kit_id, first[component_id]), first[component_id])
    skus = sorted(first)
    return await recompute_desired(connection, skus, [first[sku] for sku in skus])
