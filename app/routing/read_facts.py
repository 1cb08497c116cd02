"""What routing knows before it locks anything, remembered in the process for a moment: policy, warehouses, SKUs, days.

None of it is promised on: stock and days are read anew under their locks.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.postgres.database import Database
from adapters.postgres.days import read_days
from domain.kits import Part
from domain.opening import ALWAYS, Opening
from domain.routing.policy import DAYS_AHEAD_MAX, DEFAULT_POLICY, Policy
from domain.routing.problem import Wanted
from domain.routing.read_policy import read_policy
from domain.stock import DayKey, DaySpace, StockKey

FRESH_SECONDS = 2.0
DAYS_SECONDS = 0.1
SKU_SECONDS = 60.0
COVER_SECONDS = 600.0
REMEMBERED_MAX = 100_000
COVER_DAYS = 28
_ACTIVE = "SELECT version, document::text FROM routing_policies WHERE status = 'ACTIVE'"
_HOUSES = """
SELECT id, code, kind, status, time_zone, latitude, longitude,
  daily_order_capacity AS capacity, groups, cut_off, working_days, closed_on, open_from
FROM warehouses ORDER BY id
"""
_SOURCES = "SELECT channel_id, warehouse_id FROM channel_warehouses WHERE status = 'LIVE'"
_CHANNELS = "SELECT id, code FROM channels"
_SKUS = "SELECT id, coalesce(weight_grams, 0), tags FROM skus WHERE id = ANY($1::int[])"
_WEEKLY = """
SELECT sku_id, warehouse_id, sum(quantity)::float8 / $2 FROM stock_movements
WHERE sku_id = ANY($1::int[]) AND to_bucket = 'committed' AND from_bucket = 'available'
  AND posted_at > now() - make_interval(days => $3)
GROUP BY sku_id, warehouse_id
"""


@dataclass(frozen=True, slots=True)
class House:
    """A warehouse as routing sees it. `capacity`: orders a day, None without limit."""

    id: int
    code: str
    kind: str
    status: str
    time_zone: str
    latitude: float | None
    longitude: float | None
    capacity: int | None
    groups: frozenset[str]
    cut_off: datetime.time | None
    opening: Opening = ALWAYS


@dataclass(frozen=True, slots=True)
class SkuFacts:
    weight_grams: int
    tags: frozenset[str]

    def want(self, line: int, sku_id: int, units: int, part: Part | None = None) -> Wanted:
        """Units of an order's line, as routing is asked for them."""
        return Wanted(line, sku_id, units, self.weight_grams, self.tags, part)


@dataclass(slots=True)
class RoutingFacts:
    """Read once, then again when they are old; `forget` after a change of one's own."""

    database: Database
    _policy: tuple[int | None, Policy] = (None, DEFAULT_POLICY)
    _houses: dict[int, House] = field(default_factory=dict)
    _sources: dict[int, set[int]] = field(default_factory=dict)
    _channels: dict[int, str] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _days: dict[DayKey, DaySpace] = field(default_factory=dict)
    _days_at: float = float("-inf")
    _skus: dict[int, tuple[float, SkuFacts]] = field(default_factory=dict)
    _weekly: dict[int, tuple[float, dict[StockKey, float]]] = field(default_factory=dict)

    def forget(self) -> None:
        self._read_at = self._days_at = float("-inf")

    async def policy(self) -> tuple[int | None, Policy]:
        """The published policy with its version, or the default with None."""
        await self._refresh()
        return self._policy

    async def channel(self, channel_id: int) -> str:
        """The channel's code."""
        await self._refresh()
        return self._channels.get(channel_id, "")

    async def sources(self, channel_id: int) -> list[House]:
        """The warehouses that sell on a channel, whatever their status."""
        await self._refresh()
        return [self._houses[house] for house in sorted(self._sources.get(channel_id, ())) if house in self._houses]

    async def houses(self) -> Mapping[int, House]:
        await self._refresh()
        return self._houses

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at <= FRESH_SECONDS:
            return
        pool = self.database.hot
        active = await pool.fetchrow(_ACTIVE)
        if active is None:
            self._policy = (None, DEFAULT_POLICY)
        elif active[0] != self._policy[0]:
            self._policy = (active[0], read_policy(orjson.loads(active[1])))
        self._houses = {row[0]: _house(row) for row in await pool.fetch(_HOUSES)}
        self._channels = {row[0]: row[1] for row in await pool.fetch(_CHANNELS)}
        sources: dict[int, set[int]] = {}
        for channel_id, warehouse_id in await pool.fetch(_SOURCES):
            sources.setdefault(channel_id, set()).add(warehouse_id)
        self._sources = sources
        self._read_at = time.monotonic()

    async def days(self, now: datetime.datetime) -> Mapping[DayKey, DaySpace]:
        """All days from yesterday to as far ahead as any policy looks, at most `DAYS_SECONDS` old."""
        if time.monotonic() - self._days_at > DAYS_SECONDS:
            one = datetime.timedelta(days=1)
            limited = [house.id for house in self._houses.values()]
            first, last = now.date() - one, now.date() + one * (DAYS_AHEAD_MAX + 1)
            self._days = await read_days(self.database.hot, limited, first, last)
            self._days_at = time.monotonic()
        return self._days

    async def skus(self, sku_ids: Iterable[int]) -> dict[int, SkuFacts]:
        wanted, now = set(sku_ids), time.monotonic()
        known = {sku: kept[1] for sku in wanted if (kept := self._skus.get(sku)) and now - kept[0] < SKU_SECONDS}
        missing = wanted - known.keys()
        if missing:
            if len(self._skus) > REMEMBERED_MAX:
                self._skus.clear()
            for sku, grams, tags in await self.database.hot.fetch(_SKUS, list(missing)):
                known[sku] = SkuFacts(grams, frozenset(tags))
                self._skus[sku] = (now, known[sku])
        return known

    async def weekly(self, sku_ids: Collection[int]) -> dict[StockKey, float]:
        """Units promised a week over the last four, by SKU and warehouse; at most `COVER_SECONDS` old."""
        now = time.monotonic()
        missing = [sku for sku in sku_ids if (kept := self._weekly.get(sku)) is None or now - kept[0] > COVER_SECONDS]
        if missing:
            if len(self._weekly) > REMEMBERED_MAX:
                self._weekly.clear()
            self._weekly |= {sku: (now, {}) for sku in missing}
            for sku, house, units in await self.database.hot.fetch(_WEEKLY, missing, COVER_DAYS / 7, COVER_DAYS):
                self._weekly[sku][1][StockKey(sku, house)] = units
        return {key: units for sku in sku_ids for key, units in self._weekly[sku][1].items()}


def _house(row: Any) -> House:
    plain = dict(row)
    days = frozenset(plain.pop("working_days")), frozenset(plain.pop("closed_on"))
    opening = Opening(*days, plain.pop("open_from"))
    return House(**{**plain, "groups": frozenset(row["groups"]), "opening": opening})
