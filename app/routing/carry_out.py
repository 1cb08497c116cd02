"""Decide on locked numbers and carry it out on the book: stock, days, fulfilment orders and the decision together."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from adapters.postgres.documents import Changes, ChangeTable, DocumentTable
from adapters.postgres.rows import RowShape
from app.routing.prepare_routing import Prepared, Want
from app.routing.read_facts import House
from domain.routing.filter_sites import local_day, zone_of
from domain.routing.keep_plan import keep_plan
from domain.routing.keep_problem import keep_problem
from domain.routing.plan import Parcel, Plan
from domain.routing.problem import Problem
from domain.routing.read_policy import write_policy
from domain.routing.route import route
from domain.stock import Book, DayKey, Posting, StockKey

FULFILLMENT_ORDERS = DocumentTable(
    "fulfillment_orders",
    RowShape(
        (
            *(("id", "uuid"), ("order_id", "uuid"), ("warehouse_id", "int"), ("status", "text"), ("day", "date")),
            *(("release_at", "timestamptz"), ("ship_by", "timestamptz")),
        )
    ),
)
FULFILLMENT_ORDER_LINES = DocumentTable(
    "fulfillment_order_lines",
    RowShape((("fulfillment_order_id", "uuid"), ("line", "int"), ("sku_id", "int"), ("quantity", "int"))),
)
ROUTING_DECISIONS = DocumentTable(
    "routing_decisions",
    RowShape(
        (
            *(("id", "uuid"), ("order_id", "uuid"), ("policy_version", "int"), ("at", "timestamptz")),
            *(("seconds", "float8"), ("trigger", "text"), ("solver", "text"), ("complete", "bool")),
            *(("inputs", "json"), ("outcome", "json")),
        )
    ),
)
MORE_LINES = ChangeTable(
    RowShape((("work", "uuid"), ("line", "int"), ("sku_id", "int"), ("units", "int"))),
    "INSERT INTO fulfillment_order_lines AS l (fulfillment_order_id, line, sku_id, quantity) SELECT * FROM g "
    "ON CONFLICT (fulfillment_order_id, line) DO UPDATE SET quantity = l.quantity + excluded.quantity",
)
TOUCHED = ChangeTable(
    RowShape((("work", "uuid"),)),
    "UPDATE fulfillment_orders f SET version = version + 1, updated_at = now() FROM g WHERE f.id = g.work",
)
Rows = dict[DocumentTable, list[tuple[Any, ...]]]


class CapacityMoved(Exception):
    """The day that a decision wants was not locked, since others have filled those that were: prepare anew."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What was promised: `allocations` are (line, SKU id, warehouse id, units); `waiting` units by line."""

    plan: Plan
    allocations: list[tuple[int, int, int, int]]
    waiting: Mapping[int, int]
    rows: Rows
    changes: Changes

    @property
    def allocated(self) -> dict[int, int]:
        """Units promised by line."""
        found: dict[int, int] = {}
        for line, _, _, units in self.allocations:
            found[line] = found.get(line, 0) + units
        return found


def carry_out(prepared: Prepared, want: Want, book: Book, now: datetime.datetime, *, strict: bool) -> Carried:
    """Promise what the policy says of `want`. Raises `CapacityMoved` before it posts, never when `strict`."""
    started = time.perf_counter()
    problem = prepared.problem(want, book, now, strict=strict)
    plan = route(prepared.policy, problem)
    fresh = [parcel for parcel in plan.parcels if not parcel.joins]
    for parcel in fresh:
        _check_day(prepared, parcel, book)
    skus = {line.line: line.sku_id for line in want.lines}
    allocations = [
        (line, skus[line], parcel.site_id, units) for parcel in plan.parcels for line, units in parcel.units.items()
    ]
    for _, sku_id, house, units in allocations:
        book.post(Posting(StockKey(sku_id, house), "available", "committed", units))
    for parcel in fresh:
        book.take_day(DayKey(parcel.site_id, parcel.day))
    rows = _write_work(prepared, want, plan, skus, now)
    if want.lines:
        seconds = time.perf_counter() - started
        rows[ROUTING_DECISIONS] = [_write_decision(prepared, want, problem, plan, now, seconds)]
    return Carried(plan, sorted(allocations), plan.waiting, rows, _join_work(want, plan, skus))


def _check_day(prepared: Prepared, parcel: Parcel, book: Book) -> None:
    """A day with a limit must be locked; one without has no row to lock."""
    key = DayKey(parcel.site_id, parcel.day)
    limited = next(house.capacity for house, _ in prepared.houses if house.id == parcel.site_id) is not None
    seen = prepared.days.get(key)
    if (limited or (seen is not None and seen.capacity is not None)) and key not in book.days:
        raise CapacityMoved


def _write_work(prepared: Prepared, want: Want, plan: Plan, skus: Mapping[int, int], now: datetime.datetime) -> Rows:
    houses = {house.id: house for house, _ in prepared.houses}
    works, lines = [], []
    for parcel in plan.parcels:
        if parcel.joins:
            continue
        work = uuid7()
        release_at = start_work(parcel.day, houses[parcel.site_id], now)
        row = (work, want.order_id, parcel.site_id, "SCHEDULED", parcel.day, release_at, prepared.promise.ship_by)
        works.append(row)
        lines += [(work, line, skus[line], units) for line, units in parcel.units.items()]
    return {FULFILLMENT_ORDERS: works, FULFILLMENT_ORDER_LINES: lines}


def _join_work(want: Want, plan: Plan, skus: Mapping[int, int]) -> Changes:
    """Units that go with work which is scheduled already."""
    rows = [
        (want.works[parcel.site_id][0], line, skus[line], units)
        for parcel in plan.parcels
        if parcel.joins
        for line, units in parcel.units.items()
    ]
    return {MORE_LINES: rows, TOUCHED: [(work,) for work in sorted({row[0] for row in rows})]} if rows else {}


def start_work(day: datetime.date, house: House, now: datetime.datetime) -> datetime.datetime:
    """When work for a day is given to the warehouse: now, or when that day begins there."""
    if day <= local_day(now, house.time_zone):
        return now
    begins = house.opening.open_from or datetime.time()
    return datetime.datetime.combine(day, begins, zone_of(house.time_zone)).astimezone(datetime.UTC)


def _write_decision(
    prepared: Prepared, want: Want, problem: Problem, plan: Plan, now: datetime.datetime, seconds: float
) -> tuple[Any, ...]:
    """What was decided on goes with what was decided. The default policy is kept too: it has no row of its own."""
    inputs = keep_problem(problem)
    if prepared.policy_version is None:
        inputs["policy"] = write_policy(prepared.policy)
    kept = (orjson.dumps(inputs).decode(), orjson.dumps(keep_plan(plan)).decode())
    return (
        *(uuid7(), want.order_id, prepared.policy_version, now, seconds, want.trigger, plan.solver, not plan.waiting),
        *kept,
    )
