"""What Onhand reported, moment by moment: triggers of the simulation write down every change of what exposure is made of.

The expressions are the product's own (`MAY_SELL`); only when they were so is added, because a question asked ten times
a second misses what lasts for a fiftieth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import asyncpg

from app.channels.listing_state import MAY_SELL

NEVER = float("inf")
_TRACE = f"""
CREATE TABLE simulation_trace (
  id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp(),
  xid xid8 DEFAULT pg_current_xact_id(), kind text, data jsonb);
GRANT INSERT, SELECT ON simulation_trace TO onhand_app;
CREATE FUNCTION trace_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_trace (kind, data) SELECT 'listing', jsonb_build_object('listing', l.id, 'channel',
    l.channel_id, 'sku', l.sku_id, 'units', {MAY_SELL},
    'told', TG_OP = 'UPDATE' AND l.acknowledged_at IS DISTINCT FROM OLD.acknowledged_at)
  FROM (SELECT NEW.*) l;
  RETURN NULL;
END $$;
CREATE TRIGGER trace_listing AFTER INSERT OR UPDATE ON listings FOR EACH ROW EXECUTE FUNCTION trace_listing();
CREATE FUNCTION trace_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_trace (kind, data) SELECT 'stock',
    jsonb_build_object('sku', NEW.sku_id, 'warehouse', NEW.warehouse_id, 'units', NEW.available);
  RETURN NULL;
END $$;
CREATE TRIGGER trace_stock AFTER INSERT OR UPDATE ON stock_levels FOR EACH ROW EXECUTE FUNCTION trace_stock();
CREATE FUNCTION trace_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_trace (kind, data) SELECT 'order', jsonb_build_object('order', o.external_id, 'channel',
    o.channel_id, 'sku', NEW.sku_id, 'quantity', NEW.quantity, 'allocated', NEW.allocated)
  FROM orders o WHERE o.id = NEW.order_id AND o.status <> 'CANCELLED';
  RETURN NULL;
END $$;
CREATE TRIGGER trace_order AFTER INSERT ON order_lines FOR EACH ROW EXECUTE FUNCTION trace_order();
CREATE FUNCTION trace_cancelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_trace (kind, data) SELECT 'cancelled', jsonb_build_object('order', o.external_id, 'channel',
    o.channel_id, 'cancelled', NEW.cancelled) FROM orders o WHERE o.id = NEW.order_id;
  RETURN NULL;
END $$;
CREATE FUNCTION trace_untold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_trace (kind, data) SELECT 'listing', jsonb_build_object('listing', l.id, 'channel',
    l.channel_id, 'sku', l.sku_id, 'units', {MAY_SELL}, 'told', false)
  FROM listings l JOIN orders t ON t.channel_id = l.channel_id WHERE t.id = NEW.order_id AND l.sku_id = NEW.sku_id;
  RETURN NULL;
END $$;
CREATE TRIGGER trace_untold AFTER UPDATE OF untold ON order_lines FOR EACH ROW
  WHEN (NEW.untold <> OLD.untold) EXECUTE FUNCTION trace_untold();
CREATE TRIGGER trace_cancelled AFTER UPDATE OF cancelled ON order_lines FOR EACH ROW
  WHEN (NEW.cancelled > OLD.cancelled) EXECUTE FUNCTION trace_cancelled();
"""
_READ = "SELECT id, extract(epoch FROM at)::float8 AS at, xid::text AS xid, kind, data::text FROM simulation_trace"
Key = tuple[int, int]
"""Channel and SKU."""
OrderKey = tuple[int, str]
"""Channel and the order's id there."""


@dataclass(slots=True)
class Reported:
    """One listing: what it may have sold, as (time, units), and when the channel had taken a number."""

    units: list[tuple[float, int]] = field(default_factory=list)
    told_at: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShortLine:
    """An order line put on record although `missing` units of it were in no warehouse."""

    key: Key
    order: str
    recorded_at: float
    missing: int


@dataclass(slots=True)
class Trace:
    """Times in seconds since the epoch, of the database's clock, which is the machine's."""

    listings: dict[Key, Reported] = field(default_factory=lambda: defaultdict(Reported))
    stock: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    short: list[ShortLine] = field(default_factory=list)
    cancelled: dict[OrderKey, list[tuple[float, int]]] = field(default_factory=dict)
    """Of every order that was put on record as one to be shipped: when how many of its units were cancelled."""

    def exposures(self, key: Key) -> Iterator[tuple[float, int]]:
        """(time, units exposed from then on) of one listing."""
        may, there = self.listings[key].units, self.stock[key[1]]
        for at in sorted({at for at, _ in (*may, *there)}):
            yield at, max(0, _value_at(may, at) - max(0, _value_at(there, at)))

    def joint_exposures(self, sku: int) -> Iterator[tuple[float, int]]:
        """(time, units that all channels together may sell beyond what is there), as `jointUnits` counts one SKU."""
        listings, there = [one.units for key, one in self.listings.items() if key[1] == sku], self.stock[sku]
        for at in sorted({at for values in (*listings, there) for at, _ in values}):
            yield at, max(0, sum(_value_at(may, at) for may in listings) - max(0, _value_at(there, at)))

    def told_before(self, key: Key, at: float) -> float:
        """When the channel last took a number for it, before `at`."""
        told = self.listings[key].told_at
        place = bisect_right(told, at)
        return told[place - 1] if place else 0.0

    def cancelled_at(self, order: OrderKey, units: int) -> float:
        """When so many units of the order were cancelled on record."""
        return next((at for at, cancelled in self.cancelled[order] if cancelled >= units), NEVER)


async def start_trace(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(_TRACE)
    finally:
        await connection.close()


async def read_trace(connection: Any) -> Trace:
    """What a transaction did is taken as done at once, when it did the last of it."""
    import orjson

    trace, levels = Trace(), defaultdict[int, dict[int, int]](dict)
    rows = await connection.fetch(_READ)
    last = {row["xid"]: (row["id"], row["at"]) for row in sorted(rows, key=lambda row: row["id"])}
    for (_, at), changes in groupby(sorted(rows, key=lambda r: (last[r["xid"]], r["id"])), lambda r: last[r["xid"]]):
        found = [(row["kind"], orjson.loads(row["data"])) for row in changes]
        before = {sku: sum(of.values()) for sku, of in levels.items()}
        for kind, data in found:
            if kind == "stock":
                levels[data["sku"]][data["warehouse"]] = data["units"]
        for sku in {data["sku"] for kind, data in found if kind == "stock"}:
            trace.stock[sku].append((at, sum(levels[sku].values())))
        _note_others(trace, at, found, before, levels)
    return trace


def _note_others(
    trace: Trace, at: float, found: Sequence[Any], before: Mapping[int, int], levels: Mapping[int, Mapping[int, int]]
) -> None:
    for kind, data in found:
        if kind == "listing":
            listing = trace.listings[data["channel"], data["sku"]]
            listing.units.append((at, data["units"]))
            if data["told"]:
                listing.told_at.append(at)
        elif kind == "cancelled":
            trace.cancelled[data["channel"], data["order"]].append((at, data["cancelled"]))
        elif kind == "order":
            trace.cancelled.setdefault((data["channel"], data["order"]), [])
            _note_short(trace, at, data, before, levels)


def _note_short(
    trace: Trace, at: float, data: Any, before: Mapping[int, int], levels: Mapping[int, Mapping[int, int]]
) -> None:
    sku = data["sku"]
    if data["quantity"] > data["allocated"]:
        there = min(before.get(sku, 0), sum(levels[sku].values()))
        missing = min(data["quantity"] - data["allocated"], data["quantity"] - there)
        if missing > 0:
            trace.short.append(ShortLine((data["channel"], sku), data["order"], at, missing))


def _value_at(values: Sequence[tuple[float, int]], at: float) -> int:
    place = bisect_right(values, at, key=lambda pair: pair[0])
    return values[place - 1][1] if place else 0
