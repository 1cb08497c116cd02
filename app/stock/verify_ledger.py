"""Replay the ledger against the balances, and both against the law of conservation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from adapters.postgres.tables import BUCKETS, OUTSIDE
from app.stock.verify_bins import verify_bins
from app.stock.verify_picks import verify_picks
from app.stock.verify_transfers import HELD_BY_TRANSFERS, verify_transfers

ACCOUNTS = (*BUCKETS, *OUTSIDE)
PROBLEMS_MAX = 100

_VALUES = ", ".join(f"('{name}', l.{name}::bigint)" for name in ACCOUNTS)
_REPLAY = f"""
WITH sides AS (
  SELECT sku_id, warehouse_id, from_bucket AS bucket, -sum(quantity) AS change FROM stock_movements GROUP BY 1, 2, 3
  UNION ALL
  SELECT sku_id, warehouse_id, to_bucket, sum(quantity) FROM stock_movements GROUP BY 1, 2, 3
), replayed AS (
  SELECT sku_id, warehouse_id, bucket, sum(change) AS balance FROM sides GROUP BY 1, 2, 3
), kept AS (
  SELECT l.sku_id, l.warehouse_id, v.bucket, v.balance
  FROM stock_levels l, LATERAL (VALUES {_VALUES}) AS v (bucket, balance)
)
SELECT coalesce(k.sku_id, r.sku_id), coalesce(k.warehouse_id, r.warehouse_id), coalesce(k.bucket, r.bucket),
       coalesce(k.balance, 0), coalesce(r.balance, 0)
FROM kept k FULL JOIN replayed r USING (sku_id, warehouse_id, bucket)
WHERE coalesce(k.balance, 0) <> coalesce(r.balance, 0) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_UNBALANCED = f"SELECT sku_id, warehouse_id FROM stock_levels WHERE {' + '.join(ACCOUNTS)} <> 0 LIMIT {PROBLEMS_MAX}"  # noqa: S608
_NEGATIVE = f"SELECT sku_id, warehouse_id FROM stock_levels WHERE least({', '.join(BUCKETS)}) < 0 LIMIT {PROBLEMS_MAX}"  # noqa: S608
_RESERVED = f"""
SELECT l.sku_id, l.warehouse_id, l.reserved, coalesce(r.quantity, 0)
FROM stock_levels l LEFT JOIN (
  SELECT sku_id, warehouse_id, sum(quantity) AS quantity
  FROM reservation_lines JOIN reservations ON id = reservation_id WHERE status = 'ACTIVE' GROUP BY 1, 2
) r USING (sku_id, warehouse_id)
WHERE l.reserved <> coalesce(r.quantity, 0) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_OPEN = "fl.quantity - fl.shipped - fl.cancelled - fl.short"
_COMMITTED = f"""
SELECT coalesce(l.sku_id, p.sku_id), coalesce(l.warehouse_id, p.warehouse_id), coalesce(l.committed, 0),
       coalesce(p.units, 0)
FROM stock_levels l FULL JOIN (
  SELECT sku_id, warehouse_id, sum(units) AS units FROM (
    SELECT fl.sku_id, f.warehouse_id, {_OPEN} AS units
    FROM fulfillment_orders f JOIN fulfillment_order_lines fl ON fl.fulfillment_order_id = f.id
    UNION ALL
    {HELD_BY_TRANSFERS}
  ) bound GROUP BY 1, 2
) p USING (sku_id, warehouse_id)
WHERE coalesce(l.committed, 0) <> coalesce(p.units, 0) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_PROMISED = f"""
SELECT l.order_id, l.line, l.allocated, l.shipped - l.shipped_elsewhere, coalesce(p.units, 0), coalesce(p.shipped, 0)
FROM order_lines l LEFT JOIN (
  SELECT f.order_id, fl.line, sum({_OPEN}) AS units, sum(fl.shipped) AS shipped
  FROM fulfillment_orders f JOIN fulfillment_order_lines fl ON fl.fulfillment_order_id = f.id GROUP BY 1, 2
) p USING (order_id, line)
WHERE (l.allocated, l.shipped - l.shipped_elsewhere) <> (coalesce(p.units, 0), coalesce(p.shipped, 0))
LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_ENDED = f"""
SELECT f.id, f.status FROM fulfillment_orders f JOIN fulfillment_order_lines fl ON fl.fulfillment_order_id = f.id
WHERE f.status IN ('SHIPPED', 'REJECTED', 'CANCELLED') AND {_OPEN} <> 0 LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_COUNTS = "SELECT (SELECT count(*) FROM stock_movements), (SELECT count(*) FROM stock_levels)"


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """`problems`: a sentence for each difference, the first hundred of a kind."""

    movements: int
    levels: int
    problems: list[str]


async def verify_ledger(database: Database) -> LedgerReport:
    """Read everything on one snapshot and compare; changes nothing."""
    async with (
        database.hot.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0")
        movements, levels = await connection.fetchrow(_COUNTS)
        problems = [
            f"SKU {s} in warehouse {w}: {bucket} is {kept}, its movements add up to {replayed}."
            for s, w, bucket, kept, replayed in await connection.fetch(_REPLAY)
        ]
        problems += [
            f"SKU {s} in warehouse {w}: accounts do not add up to zero." for s, w in await connection.fetch(_UNBALANCED)
        ]
        problems += [f"SKU {s} in warehouse {w}: a bucket is negative." for s, w in await connection.fetch(_NEGATIVE)]
        problems += [
            f"SKU {s} in warehouse {w}: {kept} reserved, active reservations hold {held}."
            for s, w, kept, held in await connection.fetch(_RESERVED)
        ]
        problems += await _verify_orders(connection)
        problems += await verify_transfers(connection)
        problems += await verify_picks(connection)
        problems += await verify_bins(connection)
    return LedgerReport(movements, levels, problems)


async def _verify_orders(connection: Any) -> list[str]:
    """What is committed is what open work and transfers are to ship, and what each order line was promised."""
    problems = [
        f"SKU {s} in warehouse {w}: {kept} committed, open work and transfers are to ship {promised}."
        for s, w, kept, promised in await connection.fetch(_COMMITTED)
    ]
    problems += [
        f"Order {order}, line {line}: {allocated} allocated and {shipped} shipped, its work says {promised} and {sent}."
        for order, line, allocated, shipped, promised, sent in await connection.fetch(_PROMISED)
    ]
    problems += [
        f"Fulfilment order {work} is {status} and still binds units." for work, status in await connection.fetch(_ENDED)
    ]
    return problems
