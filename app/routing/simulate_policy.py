"""A policy over real past orders: each is decided again as it was then, on the stock, days and time that it met.

Nothing is written. What one order takes does not come off what the next one met, since that was really there. Cost is
reckoned by the simulated policy on both sides.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.routing.read_policies import sees_routing
from app.routing.save_policy import check_document
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.routing.keep_plan import revive_parcels
from domain.routing.keep_problem import revive_problem
from domain.routing.plan import Parcel
from domain.routing.policy import Policy
from domain.routing.price_plan import price_parcels
from domain.routing.problem import Problem
from domain.routing.route import route

ORDERS_MAX = 2_000
PAGE = 100
_PAGE = """
SELECT d.id, d.at, d.inputs::text AS inputs, d.outcome::text AS outcome, o.destination::text AS destination
FROM routing_decisions d JOIN orders o ON o.id = d.order_id
WHERE d.trigger = 'PLACED' AND d.erased_at IS NULL AND o.placed_at >= $1 AND o.placed_at < $2
  AND ($3::timestamptz IS NULL OR (d.at, d.id) > ($3, $4))
ORDER BY d.at, d.id LIMIT $5
"""
_COUNT = """
SELECT count(*), (SELECT count(*) FROM orders WHERE placed_at >= $1 AND placed_at < $2)
FROM routing_decisions d JOIN orders o ON o.id = d.order_id
WHERE d.trigger = 'PLACED' AND d.erased_at IS NULL AND o.placed_at >= $1 AND o.placed_at < $2
"""
_DOCUMENT = "SELECT document::text FROM routing_policies WHERE version = $1"


@dataclass(slots=True)
class Totals:
    """Sums over the orders: micros, kilometres, days, units. `by_house`: parcels by warehouse code."""

    cost: int = 0
    shipping: int = 0
    parcels: int = 0
    split_orders: int = 0
    distance_km: float = 0.0
    distances: int = 0
    late_orders: int = 0
    late_days: int = 0
    waiting_orders: int = 0
    waiting_units: int = 0
    by_house: Counter[str] = field(default_factory=Counter)

    def add(self, policy: Policy, problem: Problem, parcels: Sequence[Parcel], waiting: int) -> None:
        terms, late = price_parcels(policy, problem, parcels)
        self.cost += terms.total
        self.shipping += terms.shipping
        self.parcels += len(parcels)
        self.split_orders += len(parcels) > 1
        known = [parcel.distance_km for parcel in parcels if parcel.distance_km is not None]
        self.distance_km += sum(known)
        self.distances += len(known)
        self.late_orders += late > 0
        self.late_days += late
        self.waiting_orders += waiting > 0
        self.waiting_units += waiting
        self.by_house.update(parcel.code for parcel in parcels)


@dataclass(slots=True)
class Simulation:
    """`changed`: orders that would have been filled otherwise."""

    currency: str
    orders: int = 0
    changed: int = 0
    planned: Totals = field(default_factory=Totals)
    actual: Totals = field(default_factory=Totals)


async def simulate_policy(
    state: State,
    principal: Principal,
    version: int | None,
    document: Any,
    start: datetime.datetime,
    end: datetime.datetime,
) -> Answer:
    """`simulation` of the first `ORDERS_MAX` decisions of the period, and what it left out.

    Raises `Refusal`: NOT_ALLOWED for a limited token, then INVALID_INPUT, POLICY_NOT_FOUND.
    """
    if not sees_routing(principal):
        raise Refusal(RefusalCode.NOT_ALLOWED, "Your token is limited, and routing concerns all warehouses.")
    if (version is None) == (document is None):
        raise Refusal(
            RefusalCode.INVALID_INPUT, "Give the version of a policy, or a document: one of them.", ("version",)
        )
    if start >= end:
        raise Refusal(RefusalCode.INVALID_INPUT, "The period ends after it begins.", ("to",))
    policy = check_document(document if version is None else await _read_document(state, version))
    decided, placed = await state.database.hot.fetchrow(_COUNT, start, end)
    simulation, after = Simulation(policy.currency), (None, None)
    for _ in range(ORDERS_MAX // PAGE):
        rows = await state.database.hot.fetch(_PAGE, start, end, *after, PAGE)
        await asyncio.to_thread(_run, policy, rows, simulation)
        if len(rows) < PAGE:
            break
        after = (rows[-1]["at"], rows[-1]["id"])
    return {"simulation": simulation, "decided": decided, "undecided": max(0, placed - decided)}


async def _read_document(state: State, version: int) -> Any:
    found = await state.database.hot.fetchval(_DOCUMENT, version)
    if found is None:
        raise Refusal(RefusalCode.POLICY_NOT_FOUND, f"There is no routing policy {version}.", ("version",))
    return orjson.loads(found)


def _run(policy: Policy, rows: Iterable[Any], simulation: Simulation) -> None:
    """In a thread: a millisecond of work for each order."""
    for row in rows:
        inputs, outcome = orjson.loads(row["inputs"]), orjson.loads(row["outcome"])
        goal = orjson.loads(row["destination"] or "{}") or {}
        known = (goal.get("postal_code") or inputs["postal_code"] or "").replace(" ", "").upper() or None
        problem = revive_problem(inputs | {"postal_code": known})
        plan, happened = route(policy, problem), revive_parcels(outcome)
        simulation.orders += 1
        simulation.changed += _shape(plan.parcels) != _shape(happened)
        simulation.planned.add(policy, problem, plan.parcels, sum(plan.waiting.values()))
        simulation.actual.add(policy, problem, happened, sum(outcome["waiting"].values()))


def _shape(parcels: Iterable[Parcel]) -> set[tuple[int, int, int]]:
    return {(parcel.site_id, line, units) for parcel in parcels for line, units in parcel.units.items()}
