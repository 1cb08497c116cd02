"""Routing as it is shown: policies, decisions with their reasons, simulations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from api.ids import encode_id
from api.scalars import Counted, Edge, Money, PageInfo, UserError, to_money, user_error
from domain.errors import Refusal

MICROS = Decimal(1_000_000)


@strawberry.enum(description="DRAFT: may change. ACTIVE: what routes, one at a time. ARCHIVED: was active.")
class RoutingPolicyStatus(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


@strawberry.enum(
    description="EXACT: no plan is cheaper. HEURISTIC: too large to prove; the gap bounds what is lost. BATCH: decided "
    "for many orders at once. NONE: there was nothing to choose."
)
class RoutingSolver(StrEnum):
    EXACT = "EXACT"
    HEURISTIC = "HEURISTIC"
    BATCH = "BATCH"
    NONE = "NONE"


@strawberry.enum(description="Why it was decided.")
class RoutingTrigger(StrEnum):
    PLACED = "PLACED"
    CHANGED = "CHANGED"
    REROUTED = "REROUTED"
    BACKORDER = "BACKORDER"
    REOPTIMIZED = "REOPTIMIZED"


@strawberry.enum(description="How well the destination's place is known, from which distances come.")
class PlacePrecision(StrEnum):
    EXACT = "EXACT"
    POSTAL_CODE = "POSTAL_CODE"
    CITY = "CITY"
    REGION = "REGION"
    COUNTRY = "COUNTRY"
    NONE = "NONE"


@strawberry.type(description="Ordered rules by which orders are routed; docs/routing.md says what a document holds.")
class RoutingPolicy:
    version: int | None = strawberry.field(description="Null: the default, until one is published.")
    status: RoutingPolicyStatus
    name: str
    document: JSON
    created_by: str | None
    created_at: datetime.datetime | None
    published_by: str | None
    published_at: datetime.datetime | None
    archived_at: datetime.datetime | None


@strawberry.type
class RoutingPolicyConnection(Counted):
    edges: list[Edge[RoutingPolicy]]
    nodes: list[RoutingPolicy]
    page_info: PageInfo


@strawberry.type(description="What a plan or a parcel costs, in the policy's currency.")
class RoutingTerms:
    shipping: Decimal
    parcel: Decimal
    late: Decimal
    load: Decimal
    cover: Decimal
    total: Decimal


@strawberry.type
class RoutingUnits:
    line: int = strawberry.field(description="Its number in the order, from 0.")
    quantity: int


@strawberry.type(description="Work of one warehouse.")
class RoutingParcel:
    warehouse: str
    day: str = strawberry.field(description="On which it is to leave, by the warehouse's calendar.")
    distance_km: float | None
    late_days: int = strawberry.field(description="After the promise.")
    joins: bool = strawberry.field(description="It goes with work that was there already.")
    units: list[RoutingUnits]
    terms: RoutingTerms


@strawberry.type(description="A warehouse's stock of one SKU as the decision saw it under lock.")
class RoutingStock:
    sku: str
    available: int
    safety_stock: int
    version: int
    offered: int = strawberry.field(description="What the rule let it offer.")


@strawberry.type(description="A warehouse as one rule saw it.")
class RoutingCandidate:
    warehouse: str
    distance_km: float | None
    removed_by: str | None = strawberry.field(
        description="BARRED, STATUS, CODE, KIND, GROUP, DISTANCE, CARRIER, CUT_OFF, CAPACITY, STOCK: the first filter "
        "that it did not pass. Null: it was offered."
    )
    detail: str | None
    day: str | None
    day_capacity: int | None = strawberry.field(description="Orders that the day takes; null: without limit.")
    day_taken: int | None
    day_version: int | None
    late_days: int
    terms: RoutingTerms | None = strawberry.field(description="Of a parcel, before any unit is in it.")
    stock: list[RoutingStock]


@strawberry.type(description="What one rule did.")
class RoutingStep:
    rule: str
    lines: list[int]
    solver: RoutingSolver
    cost: Decimal
    gap_percent: float = strawberry.field(description="By so much the plan may be above the cheapest one, at the most.")
    candidates: list[RoutingCandidate]


@strawberry.type(description="Where an order was promised from, and why.")
class RoutingDecision:
    order: strawberry.ID
    at: datetime.datetime
    trigger: RoutingTrigger
    policy_version: int | None = strawberry.field(description="Null: the default policy.")
    solver: RoutingSolver
    complete: bool = strawberry.field(description="Whether nothing was left waiting.")
    milliseconds: float = strawberry.field(description="That deciding took.")
    precision: PlacePrecision
    cost: Money | None
    parcels: list[RoutingParcel]
    waiting: list[RoutingUnits]
    steps: list[RoutingStep]
    replays: bool | None = strawberry.field(
        description="Whether the policy decides the same on the kept numbers again, tried now; of a batch: given what "
        "the batch gave this order. Null: the numbers were not kept, or `replayRefused`."
    )
    replay_refused: UserError | None = strawberry.field(description="DECISION_ERASED: why it cannot be tried again.")
    erased_at: datetime.datetime | None = strawberry.field(
        description="When the buyer was: distances, the postal code and what it cost from elsewhere are gone."
    )
    batch_orders: int | None = strawberry.field(description="Of BATCH: orders that were moved together.")
    cost_before: Money | None = strawberry.field(description="Of BATCH: of what it had, by the same policy.")


@strawberry.type(description="Sums over the orders of a simulation, reckoned by the simulated policy.")
class RoutingTotals:
    cost: Money | None
    shipping: Money | None
    parcels: int
    parcels_per_order: float
    split_orders: int
    average_distance_km: float | None
    late_orders: int
    late_days: int
    waiting_orders: int = strawberry.field(description="That could not be filled whole.")
    waiting_units: int


@strawberry.type
class RoutingLoad:
    warehouse: str
    planned_parcels: int
    actual_parcels: int


@strawberry.type(description="A policy over past orders, each decided again as it was then. Nothing is changed by it.")
class RoutingSimulation:
    orders: int
    changed_orders: int = strawberry.field(description="That would have been filled from elsewhere.")
    left_out: int = strawberry.field(description="Decisions beyond the limit of one simulation.")
    undecided: int = strawberry.field(description="Orders of the period without a decision on record, or erased.")
    planned: RoutingTotals
    actual: RoutingTotals = strawberry.field(
        description="As the same orders were decided when they came, at the draft's costs: not what was shipped later."
    )
    loads: list[RoutingLoad]


@strawberry.type(description="An order that would be filled from elsewhere.")
class RoutingMove:
    order: strawberry.ID
    saves: Money | None
    from_warehouses: list[str]
    to_warehouses: list[str]


@strawberry.type(description="What would be cheaper for the orders together that no warehouse was told of yet.")
class RoutingReoptimization:
    orders: int = strawberry.field(description="Looked at.")
    left_out: int = strawberry.field(description="That the policy would not leave where they are: reroute those.")
    optimal: bool = strawberry.field(description="No plan is cheaper; else time was up.")
    cost_before: Money | None
    cost_after: Money | None
    moves: list[RoutingMove]
    plan: JSON = strawberry.field(description="For routingReoptimizeApply.")


def reoptimization_from_answer(made: Mapping[str, Any], codes: Mapping[int, str]) -> RoutingReoptimization:
    def money(micros: int) -> Money | None:
        return to_money(Decimal(micros) / MICROS, made["currency"])

    def names(ids: list[int]) -> list[str]:
        return sorted(codes.get(one, str(one)) for one in ids)

    moves = [
        RoutingMove(
            order=strawberry.ID(encode_id("Order", move["order"])),
            saves=money(move["saves"]),
            from_warehouses=names(move["from"]),
            to_warehouses=names([parcel["warehouse"] for parcel in move["parcels"]]),
        )
        for move in made["moves"]
    ]
    return RoutingReoptimization(
        orders=made["orders"],
        left_out=made["left_out"],
        optimal=made["optimal"],
        cost_before=money(made["before"]),
        cost_after=money(made["after"]),
        moves=moves,
        plan=cast(JSON, {"moves": made["moves"]}),
    )


def policy_from_row(row: Mapping[str, Any]) -> RoutingPolicy:
    return RoutingPolicy(**{**row, "status": RoutingPolicyStatus(row["status"])})


def terms_from_kept(kept: list[int] | None) -> RoutingTerms | None:
    if kept is None:
        return None
    shipping, parcel, late, load, cover = (Decimal(micros) / MICROS for micros in kept)
    return RoutingTerms(
        shipping=shipping, parcel=parcel, late=late, load=load, cover=cover, total=Decimal(sum(kept)) / MICROS
    )


def decision_from_row(row: Mapping[str, Any], replays: bool | Refusal | None) -> RoutingDecision:
    inputs, outcome = row["inputs"], row["outcome"]
    currency = (row["policy"] or {}).get("currency")
    batch = inputs.get("batch") if "sites" in inputs else None
    return RoutingDecision(
        order=strawberry.ID(encode_id("Order", str(row["order_id"]))),
        at=row["at"],
        trigger=RoutingTrigger(row["trigger"]),
        policy_version=row["policy_version"],
        solver=RoutingSolver(row["solver"]),
        complete=row["complete"],
        milliseconds=round(row["seconds"] * 1_000, 3),
        precision=PlacePrecision(inputs.get("precision", "NONE")),
        cost=to_money(Decimal(outcome["cost"]) / MICROS, currency),
        parcels=[_parcel(one) for one in outcome["parcels"]],
        waiting=_units(outcome["waiting"]),
        steps=[_step(one, inputs, row["skus"]) for one in outcome["steps"]],
        replays=None if isinstance(replays, Refusal) else replays,
        replay_refused=user_error(replays) if isinstance(replays, Refusal) else None,
        erased_at=row["erased_at"],
        batch_orders=None if batch is None else batch["orders"],
        cost_before=None if batch is None else to_money(Decimal(batch["before"]) / MICROS, currency),
    )


def _units(kept: Mapping[str, int]) -> list[RoutingUnits]:
    return [RoutingUnits(line=int(line), quantity=units) for line, units in kept.items()]


def _parcel(kept: Mapping[str, Any]) -> RoutingParcel:
    terms = terms_from_kept(kept["terms"])
    assert terms is not None
    return RoutingParcel(
        warehouse=kept["code"],
        day=kept["day"],
        distance_km=kept["km"],
        late_days=kept["late_days"],
        joins=kept["joins"],
        units=_units(kept["units"]),
        terms=terms,
    )


def _step(kept: Mapping[str, Any], inputs: Mapping[str, Any], skus: Mapping[int, str]) -> RoutingStep:
    sites = {site["id"]: site for site in inputs["sites"]}
    return RoutingStep(
        rule=kept["rule"],
        lines=kept["lines"],
        solver=RoutingSolver(kept["solver"]),
        cost=Decimal(kept["cost"]) / MICROS,
        gap_percent=round(100 * kept["gap"], 3),
        candidates=[_candidate(one, sites[one["site"]], skus) for one in kept["candidates"]],
    )


def _candidate(kept: Mapping[str, Any], site: Mapping[str, Any], skus: Mapping[int, str]) -> RoutingCandidate:
    capacity, taken, version = site["days"].get(kept.get("day"), (site["capacity"], None, None))
    offered = kept.get("offered", {})
    return RoutingCandidate(
        warehouse=kept["code"],
        distance_km=kept["km"],
        removed_by=kept.get("removed"),
        detail=kept.get("detail"),
        day=kept.get("day"),
        day_capacity=capacity,
        day_taken=taken,
        day_version=version,
        late_days=kept.get("late_days", 0),
        terms=terms_from_kept(kept.get("terms")),
        stock=[
            RoutingStock(
                sku=skus.get(int(sku), sku),
                available=held[0],
                safety_stock=held[1],
                version=held[2],
                offered=offered.get(sku, 0),
            )
            for sku, held in site["held"].items()
        ],
    )


def simulation_from_answer(made: Mapping[str, Any]) -> RoutingSimulation:
    found = made["simulation"]
    houses = sorted({*found.planned.by_house, *found.actual.by_house})
    return RoutingSimulation(
        orders=found.orders,
        changed_orders=found.changed,
        left_out=made["decided"] - found.orders,
        undecided=made["undecided"],
        planned=_totals(found.planned, found.orders, found.currency),
        actual=_totals(found.actual, found.orders, found.currency),
        loads=[
            RoutingLoad(
                warehouse=house,
                planned_parcels=found.planned.by_house[house],
                actual_parcels=found.actual.by_house[house],
            )
            for house in houses
        ],
    )


def _totals(totals: Any, orders: int, currency: str) -> RoutingTotals:
    return RoutingTotals(
        cost=to_money(totals.cost / MICROS, currency),
        shipping=to_money(totals.shipping / MICROS, currency),
        parcels=totals.parcels,
        parcels_per_order=round(totals.parcels / orders, 4) if orders else 0.0,
        split_orders=totals.split_orders,
        average_distance_km=round(totals.distance_km / totals.distances, 1) if totals.distances else None,
        late_orders=totals.late_orders,
        late_days=totals.late_days,
        waiting_orders=totals.waiting_orders,
        waiting_units=totals.waiting_units,
    )
