"""Reading stock: pages of levels and movements, and what a number is made of.

Each page is one statement, whatever its size; keyset pagination by (sku id, warehouse id) and by movement id.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from domain.identity import Principal

LEVEL_COLUMNS = """
l.sku_id, l.warehouse_id, l.available, l.reserved, l.committed, l.damaged, l.quality_control, l.in_transit,
l.incoming, l.safety_stock, l.version, l.updated_at
"""
SKU_COLUMNS = """
s.id AS s_id, s.code AS s_code, s.title AS s_title, s.barcode AS s_barcode, s.unit_cost AS s_unit_cost,
s.currency AS s_currency, s.weight_grams AS s_weight_grams, s.volume_ml AS s_volume_ml, s.status AS s_status,
s.frozen AS s_frozen, s.tags AS s_tags
"""
WAREHOUSE_COLUMNS = """
w.id AS w_id, w.code AS w_code, w.name AS w_name, w.kind AS w_kind, w.status AS w_status, w.address AS w_address,
w.country_code AS w_country_code, w.latitude AS w_latitude, w.longitude AS w_longitude, w.time_zone AS w_time_zone,
w.storage_capacity AS w_storage_capacity, w.daily_order_capacity AS w_daily_order_capacity,
to_char(w.cut_off, 'HH24:MI') AS w_cut_off, w.groups AS w_groups, w.working_days AS w_working_days,
w.closed_on AS w_closed_on, to_char(w.open_from, 'HH24:MI') AS w_open_from
"""
LEVELS = f"""
SELECT {LEVEL_COLUMNS}, {SKU_COLUMNS}, {WAREHOUSE_COLUMNS}
FROM stock_levels l JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id
"""  # noqa: S608
_FILTER = """
WHERE ($1::text[] IS NULL OR s.code = ANY($1) OR s.barcode = ANY($1))
  AND ($2::text[] IS NULL OR w.code = ANY($2))
  AND ($3::int[] IS NULL OR l.warehouse_id = ANY($3))
  AND (NOT $4::bool OR l.available < l.safety_stock)
"""
_PAGE = f"""
{LEVELS} {_FILTER} AND (l.sku_id, l.warehouse_id) > ($5::int, $6::int) ORDER BY l.sku_id, l.warehouse_id LIMIT $7
"""
_COUNT = f"""
SELECT count(*) FROM stock_levels l JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id {_FILTER}
"""  # noqa: S608
_BY_KEYS = f"""
{LEVELS} JOIN unnest($1::int[], $2::int[]) AS wanted (s, w) ON l.sku_id = wanted.s AND l.warehouse_id = wanted.w
ORDER BY l.sku_id, l.warehouse_id
"""
_BY_SKUS = f"""
{LEVELS} WHERE l.sku_id = ANY($1::int[]) AND ($2::int[] IS NULL OR l.warehouse_id = ANY($2))
ORDER BY l.sku_id, l.warehouse_id
"""
_MOVEMENTS = f"""
SELECT m.*, {SKU_COLUMNS}, {WAREHOUSE_COLUMNS}
FROM stock_movements m JOIN skus s ON s.id = m.sku_id JOIN warehouses w ON w.id = m.warehouse_id
"""  # noqa: S608
_MOVEMENTS_FILTER = """
WHERE ($1::text IS NULL OR s.code = $1 OR s.barcode = $1) AND ($2::text IS NULL OR w.code = $2)
  AND ($3::int[] IS NULL OR m.warehouse_id = ANY($3)) AND ($4::text[] IS NULL OR m.reason = ANY($4))
  AND ($5::text IS NULL OR m.reference = $5) AND ($6::timestamptz IS NULL OR m.posted_at >= $6)
  AND ($7::timestamptz IS NULL OR m.posted_at < $7)
"""
_MOVEMENTS_PAGE = f"{_MOVEMENTS} {_MOVEMENTS_FILTER} AND m.id > $8 ORDER BY m.id LIMIT $9"
_MOVEMENTS_COUNT = f"""
SELECT count(*) FROM stock_movements m JOIN skus s ON s.id = m.sku_id JOIN warehouses w ON w.id = m.warehouse_id
{_MOVEMENTS_FILTER}
"""  # noqa: S608
_MOVEMENTS_BY_IDS = f"{_MOVEMENTS} WHERE m.id = ANY($1::bigint[]) ORDER BY m.id"


@dataclass(frozen=True, slots=True)
class LevelFilter:
    skus: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    below_safety_stock: bool = False


@dataclass(frozen=True, slots=True)
class MovementFilter:
    sku: str | None = None
    warehouse: str | None = None
    reasons: Sequence[str] | None = None
    reference: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


def visible(principal: Principal) -> list[int] | None:
    """Ids of the warehouses the principal may see; None for all."""
    return None if principal.warehouse_ids is None else sorted(principal.warehouse_ids)


def _filter(principal: Principal, chosen: LevelFilter) -> tuple[Any, ...]:
    return (
        None if chosen.skus is None else list(chosen.skus),
        None if chosen.warehouses is None else list(chosen.warehouses),
        visible(principal),
        chosen.below_safety_stock,
    )


async def read_levels(
    database: Database, principal: Principal, chosen: LevelFilter, after: tuple[int, int], limit: int
) -> Sequence[Any]:
    """Levels with their SKU and warehouse, after the key, at most `limit`."""
    rows: Sequence[Any] = await database.hot.fetch(_PAGE, *_filter(principal, chosen), *after, limit)
    return rows


async def count_levels(database: Database, principal: Principal, chosen: LevelFilter) -> int:
    return int(await database.hot.fetchval(_COUNT, *_filter(principal, chosen)))


async def read_levels_by_keys(database: Database, keys: Sequence[tuple[int, int]]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(_BY_KEYS, [key[0] for key in keys], [key[1] for key in keys])
    return rows


async def read_levels_of_skus(database: Database, principal: Principal, sku_ids: Sequence[int]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(_BY_SKUS, list(sku_ids), visible(principal))
    return rows


async def read_movements(
    database: Database, principal: Principal, chosen: MovementFilter, after: int, limit: int
) -> Sequence[Any]:
    """Movements in the order they were posted, after the id, at most `limit`."""
    rows: Sequence[Any] = await database.hot.fetch(_MOVEMENTS_PAGE, *_choice(principal, chosen), after, limit)
    return rows


async def count_movements(database: Database, principal: Principal, chosen: MovementFilter) -> int:
    return int(await database.hot.fetchval(_MOVEMENTS_COUNT, *_choice(principal, chosen)))


def _choice(principal: Principal, chosen: MovementFilter) -> tuple[Any, ...]:
    return (
        chosen.sku,
        chosen.warehouse,
        visible(principal),
        None if chosen.reasons is None else list(chosen.reasons),
        chosen.reference,
        chosen.since,
        chosen.until,
    )


async def read_movements_by_ids(database: Database, ids: Sequence[int]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(_MOVEMENTS_BY_IDS, list(ids))
    return rows


_EXPLAIN = """
SELECT bucket, document, sum(change)::bigint AS quantity, count(*)::bigint AS movements, max(posted_at) AS last_at
FROM (
  SELECT from_bucket AS bucket, coalesce(document, reference, reason) AS document, -quantity AS change, posted_at
  FROM stock_movements WHERE sku_id = $1 AND warehouse_id = $2
  UNION ALL
  SELECT to_bucket, coalesce(document, reference, reason), quantity, posted_at
  FROM stock_movements WHERE sku_id = $1 AND warehouse_id = $2
) AS sides
WHERE bucket = ANY($3::text[])
GROUP BY bucket, document HAVING sum(change) <> 0
ORDER BY bucket, max(posted_at) DESC
"""
EXPLAINED_BUCKETS = ["available", "reserved", "committed", "damaged", "quality_control", "in_transit"]


async def explain_level(database: Database, sku_id: int, warehouse_id: int) -> Sequence[Any]:
    """For each bucket the documents whose movements still weigh in it, with their net units."""
    rows: Sequence[Any] = await database.hot.fetch(_EXPLAIN, sku_id, warehouse_id, EXPLAINED_BUCKETS)
    return rows
