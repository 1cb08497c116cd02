"""How many units channels may sell right now that are not there: the worst case, per channel and listing by listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from app.channels.listing_state import EXPOSURE, MAY_SELL, OF_LISTING, STOCK_OF_LISTINGS
from app.channels.read_listings import LISTINGS
from app.channels.see_channels import see_channels
from app.conditions import Conditions
from domain.identity import Principal

WORST_MAX = 50
_TOTALS = f"""
SELECT c_id, c_code, sum(exposure)::bigint AS units, count(*) FILTER (WHERE exposure > 0)::int AS listings
FROM (
  SELECT c.id AS c_id, c.code AS c_code, {EXPOSURE} AS exposure FROM listings l {OF_LISTING} {STOCK_OF_LISTINGS} {{}}
) AS found
GROUP BY c_id, c_code ORDER BY c_code
"""  # noqa: S608
_WORST = f"""
{LISTINGS} WHERE l.id IN (
  SELECT l.id FROM listings l {OF_LISTING} {STOCK_OF_LISTINGS} {{}} ORDER BY {EXPOSURE} DESC, l.id LIMIT {WORST_MAX}
) AND {EXPOSURE} > 0
ORDER BY {EXPOSURE} DESC, l.id
"""  # noqa: S608

_JOINT = f"""
WITH chosen AS MATERIALIZED (
  SELECT coalesce(p.component_id, l.sku_id) AS sku_id, l.channel_id, l.location, l.warehouses,
    {MAY_SELL} * coalesce(p.quantity, 1)::bigint AS units
  FROM listings l {OF_LISTING} LEFT JOIN kit_components p ON p.kit_id = l.sku_id {{}}
), sold AS (SELECT sku_id, sum(units) AS units FROM chosen GROUP BY sku_id), there AS (
  SELECT h.sku_id, sum(greatest(0, v.available)) AS units
  FROM (SELECT DISTINCT h.sku_id, cw.warehouse_id FROM chosen h
        JOIN channel_warehouses cw ON cw.channel_id = h.channel_id AND cw.location = h.location AND cw.status = 'LIVE'
        JOIN warehouses w ON w.id = cw.warehouse_id AND w.status = 'LIVE'
          AND (h.warehouses IS NULL OR w.code = ANY(h.warehouses))) h
  JOIN stock_levels v ON v.sku_id = h.sku_id AND v.warehouse_id = h.warehouse_id GROUP BY h.sku_id
)
SELECT coalesce(sum(greatest(0, sold.units - coalesce(there.units, 0))), 0)::bigint
FROM sold LEFT JOIN there USING (sku_id)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Exposure:
    """`channels`: rows of `c_code`, `units` and `listings` (how many are exposed)."""

    units: int
    listings: int
    channels: Sequence[Any]


async def measure_exposure(
    database: Database, principal: Principal, channel: str | None = None, skus: Sequence[str] | None = None
) -> Exposure:
    """Of what the principal may see, at this moment."""
    found = await _choose(database, principal, channel, skus)
    rows = await database.hot.fetch(_TOTALS.format(found.where), *found.values)
    return Exposure(sum(row["units"] for row in rows), sum(row["listings"] for row in rows), rows)


async def measure_joint_exposure(
    database: Database, principal: Principal, channel: str | None = None, skus: Sequence[str] | None = None
) -> int:
    """Units oversold if all channels sold all that they may at once: what several of them show is there only once.

    A kit counts as the units of its components, so that it shares them with whatever else sells them.
    """
    found = await _choose(database, principal, channel, skus)
    return int(await database.hot.fetchval(_JOINT.format(found.where), *found.values))


async def read_worst_exposed(
    database: Database, principal: Principal, channel: str | None = None, skus: Sequence[str] | None = None
) -> Sequence[Any]:
    """The `WORST_MAX` most exposed listings, the worst first."""
    found = await _choose(database, principal, channel, skus)
    rows: Sequence[Any] = await database.hot.fetch(_WORST.format(found.where), *found.values)
    return rows


async def _choose(
    database: Database, principal: Principal, channel: str | None, skus: Sequence[str] | None
) -> Conditions:
    found = Conditions()
    visible = await see_channels(database.hot, principal)
    if visible is not None:
        found.add("l.channel_id = ANY({}::int[])", visible)
    if channel is not None:
        found.add("c.code = {}", channel)
    if skus is not None:
        found.add("(s.code = ANY({0}::text[]) OR s.barcode = ANY({0}::text[]))", list(skus))
    return found
