"""What the forecast of a line is made from: its own days, and what holds for its warehouse."""

from __future__ import annotations

import datetime
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.forecast import Forecast, Moments, Pool, forecast_demand, learn_pool
from domain.stock import StockKey

HISTORY_DAYS = 84
"""Twelve weeks: what is older weighs next to nothing."""
POOL_SECONDS = 3_600.0
_WEEKDAYS = """
SELECT extract(isodow FROM g.day)::int - 1 AS weekday, count(*)::int AS days, coalesce(sum(d.sold), 0)::float8 AS sold
FROM generate_series($2::date, $3::date, interval '1 day') AS g (day)
LEFT JOIN (
  SELECT day, sum(sold) AS sold FROM demand_days WHERE warehouse_id = $1 AND day BETWEEN $2 AND $3 GROUP BY 1
) d ON d.day = g.day::date
GROUP BY 1
"""
_MOMENTS = """
SELECT sum(sold)::float8 / $4 AS mean, sum(sold * sold)::float8 / $4 - (sum(sold)::float8 / $4) ^ 2 AS variance
FROM demand_days WHERE warehouse_id = $1 AND day BETWEEN $2 AND $3 GROUP BY sku_id
"""
_FIRST_DAY = "SELECT min(day) FROM demand_days WHERE warehouse_id = $1 AND day >= $2"
_HISTORY = """
SELECT a.sku_id, a.warehouse_id, d.day, d.sold,
  (a.first_at AT TIME ZONE w.time_zone)::date AS first_day
FROM unnest($1::int[], $2::int[]) AS k (s, w) JOIN sku_activity a ON a.sku_id = k.s AND a.warehouse_id = k.w
JOIN warehouses w ON w.id = a.warehouse_id
LEFT JOIN demand_days d ON d.sku_id = a.sku_id AND d.warehouse_id = a.warehouse_id AND d.day >= $3
"""


class _Kept(NamedTuple):
    pool: Pool
    at: float


_pools: dict[tuple[int, int, datetime.date], _Kept] = {}


async def read_pool(connection: Any, database_key: int, warehouse_id: int, today: datetime.date) -> Pool:
    """The warehouse's shape of the week and variance, of the last twelve weeks; an hour old at the most.

    `database_key`: tells databases of one process apart.
    """
    key = (database_key, warehouse_id, today)
    kept = _pools.get(key)
    if kept is not None and time.monotonic() - kept.at < POOL_SECONDS:
        return kept.pool
    last = today - datetime.timedelta(days=1)
    first = await connection.fetchval(_FIRST_DAY, warehouse_id, today - datetime.timedelta(days=HISTORY_DAYS))
    pool = Pool() if first is None or first > last else await _learn(connection, warehouse_id, first, last)
    if len(_pools) > 1_000:
        _pools.clear()
    _pools[key] = _Kept(pool, time.monotonic())
    return pool


async def _learn(connection: Any, warehouse_id: int, first: datetime.date, last: datetime.date) -> Pool:
    sold, days = [0.0] * 7, [0] * 7
    for row in await connection.fetch(_WEEKDAYS, warehouse_id, first, last):
        sold[row["weekday"]], days[row["weekday"]] = row["sold"], row["days"]
    count = (last - first).days + 1
    moments = [Moments(*row) for row in await connection.fetch(_MOMENTS, warehouse_id, first, last, float(count))]
    return learn_pool(sold, days, moments)


async def read_forecasts(
    connection: Any, keys: Sequence[StockKey], pools: dict[int, Pool], today: datetime.date, bulk: dict[StockKey, float]
) -> dict[StockKey, Forecast]:
    """Forecasts by line, from the days before `today` since it came to be; lines never handled are left out."""
    start = today - datetime.timedelta(days=HISTORY_DAYS)
    columns = [key.sku_id for key in keys], [key.warehouse_id for key in keys]
    sold: dict[StockKey, dict[datetime.date, int]] = defaultdict(dict)
    begins: dict[StockKey, datetime.date] = {}
    for row in await connection.fetch(_HISTORY, *columns, start):
        key = StockKey(row["sku_id"], row["warehouse_id"])
        if row["day"] is not None:
            sold[key][row["day"]] = row["sold"]
        begins[key] = min([max(start, row["first_day"]), *sold[key]])
    forecasts = {}
    for key, first in begins.items():
        days = (today - first).days
        history = [float(sold[key].get(first + datetime.timedelta(days=n), 0)) for n in range(days)]
        forecasts[key] = forecast_demand(history, first, pools[key.warehouse_id], bulk[key])
    return forecasts
