"""What would be cheaper for all the orders together that no warehouse was told of yet. Nothing is changed here."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.orders import OrderRow, see_orders
from adapters.solver.solve_backlog import BacklogOrder, BacklogSolution, LineChoice, ParcelChoice, solve_backlog
from app.routing.allocate_order import prepare_order
from app.routing.prepare_routing import Prepared, Want
from app.routing.read_policies import sees_routing
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.routing.bundle_kits import Bundle, bundle_kits
from domain.routing.explain_batch import find_rule
from domain.routing.filter_sites import Open, Removed, filter_site
from domain.routing.policy import Rule
from domain.routing.price_sites import count_late_days, price_parcel, price_unit
from domain.routing.problem import Problem, Wanted
from domain.routing.route import NOTHING, rank_sites
from domain.stock import ACCOUNTS, Balance, Book, DayKey, StockKey

ORDERS_MAX = 200
SITES_MAX = 8
"""Of an order: the cheapest ones, besides those that have it."""
SOLVE_SECONDS_MAX = 8.0
_BACKLOG = """
SELECT f.order_id FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
WHERE f.status = 'SCHEDULED' AND f.day IS NOT NULL AND f.hold_reason IS NULL AND f.cancel_requested_at IS NULL
  AND o.hold_reason IS NULL
GROUP BY f.order_id ORDER BY min(f.release_at), f.order_id LIMIT $1
"""
_STOCK = """
SELECT sku_id, warehouse_id, available, safety_stock, version FROM stock_levels WHERE sku_id = ANY($1::int[])
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """An order as the solver is asked. `now`: units by (site, line) as promised; `days` by site.

    A kit is one line, of `bundles`. `rule`: the one that is for all of it.
    """

    order: OrderRow
    choice: BacklogOrder
    now: dict[tuple[int, int], int]
    days: dict[int, datetime.date]
    lines: list[int]
    rule: Rule
    bundles: list[Bundle]


async def plan_backlog(state: State, principal: Principal, limit: int) -> Answer:
    """`plan` for `apply_backlog`, with `orders` looked at, costs before and after in micros, and the moves.

    Raises `Refusal`: NOT_ALLOWED for a limited token, INVALID_INPUT for a limit that is not from 1 to `ORDERS_MAX`.
    """
    if not sees_routing(principal):
        raise Refusal(RefusalCode.NOT_ALLOWED, "Your token is limited, and routing concerns all warehouses.")
    if not 1 <= limit <= ORDERS_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"orders is from 1 to {ORDERS_MAX}.", ("orders",))
    ids = [row[0] for row in await state.database.hot.fetch(_BACKLOG, limit)]
    orders = await see_orders(state.database.hot, ids)
    prepared = {key: await prepare_order(state, order, anew=True) for key, order in orders.items()}
    stock = await _pool_stock(state, list(orders.values()))
    freed = Counter(DayKey(w.warehouse_id, w.day) for o in orders.values() for w in o.scheduled if w.day is not None)
    now = datetime.datetime.now(datetime.UTC)
    pieces = [piece for key, order in orders.items() if (piece := _ask(order, prepared[key], stock, now)) is not None]
    places = _count_places(prepared.values(), freed)
    limits = _limit_stock(stock, pieces)
    choices = [piece.choice for piece in pieces]
    solution = await asyncio.to_thread(solve_backlog, choices, limits, places, SOLVE_SECONDS_MAX) if pieces else None
    currency = next((one.policy.currency for one in prepared.values()), "EUR")
    return _answer(pieces, solution, currency, len(orders))


async def _pool_stock(state: State, orders: Sequence[OrderRow]) -> dict[StockKey, Balance]:
    """What would be available if none of these were promised."""
    skus = sorted({sku for order in orders for work in order.scheduled for _, sku, _ in work.units})
    found: dict[StockKey, Balance] = {}
    for sku, house, available, safety, version in await state.database.hot.fetch(_STOCK, skus):
        found[StockKey(sku, house)] = Balance([available, *[0] * (len(ACCOUNTS) - 1)], version, 0, safety)
    for order in orders:
        for work in order.scheduled:
            for _, sku, units in work.units:
                found[StockKey(sku, work.warehouse_id)].accounts[0] += units
    return found


def _limit_stock(stock: Mapping[StockKey, Balance], pieces: Sequence[Piece]) -> dict[tuple[int, int], int]:
    """Units by (site, SKU) that the plan may give: not what stays there by the rules, unless it is promised already."""
    held: Counter[StockKey] = Counter()
    back = max((piece.rule.sites.keep_back for piece in pieces), default=0)
    safe = any(piece.rule.sites.keep_safety_stock for piece in pieces)
    for piece in pieces:
        for work in piece.order.scheduled:
            for _, sku, units in work.units:
                held[StockKey(sku, work.warehouse_id)] += units
    return {
        (key.warehouse_id, key.sku_id): max(
            balance["available"] - back - (balance.safety_stock if safe else 0), held[key]
        )
        for key, balance in stock.items()
    }


def _ask(order: OrderRow, prepared: Prepared, stock: dict[StockKey, Balance], now: datetime.datetime) -> Piece | None:
    """None for an order that the policy would not leave where it is: that is for `orderReroute` to mend.

    None too for one of which part of a kit is promised elsewhere than the rest.
    """
    days = {work.warehouse_id: work.day for work in order.scheduled if work.day is not None}
    skus = {line: sku for work in order.scheduled for line, sku, _ in work.units}
    wanted: Counter[int] = Counter()
    for work in order.scheduled:
        for line, _, units in work.units:
            wanted[line] += units
    facts, parts = prepared.skus, {line.line: line.part for line in order.lines}
    if not wanted or any(sku not in facts for sku in skus.values()):
        return None
    lines = [facts[skus[n]].want(n, skus[n], units, parts.get(n)) for n, units in wanted.items()]
    asked = prepared.problem(Want(order.id, lines, "REOPTIMIZED", order.barred), Book(stock), now, strict=False)
    rule = find_rule(prepared.policy, asked)
    problem, bundles = bundle_kits(asked)
    held = _bundle_held(order, bundles)
    if rule is None or held is None or any(line.part for line in problem.lines):
        return None
    found = _offer(prepared, rule, problem, days)
    if not days.keys() <= {one.site.id for one in found}:
        return None
    choice = _choose(rule, problem, found, problem.lines, held, bundles)
    numbers = [line.line for line in problem.lines]
    return Piece(order, choice, held, {one.site.id: one.day for one in found}, numbers, rule, bundles)


def _bundle_held(order: OrderRow, bundles: Sequence[Bundle]) -> dict[tuple[int, int], int] | None:
    """Units by (site, line) as promised, each kit as one; None where kits are not whole."""
    held = {(work.warehouse_id, line): units for work in order.scheduled for line, _, units in work.units}
    for bundle in bundles:
        for house in {site for site, _ in held}:
            counts = [divmod(held.pop((house, line.line), 0), units) for line, units in bundle.parts]
            if len(set(counts)) > 1 or counts[0][1]:
                return None
            if counts[0][0]:
                held[house, bundle.line] = counts[0][0]
    return held


def _offer(prepared: Prepared, rule: Rule, problem: Problem, days: Mapping[int, datetime.date]) -> list[Open]:
    """Warehouses that the rule allows: those that have the order, on their day, and the cheapest others."""
    skus = {line.sku_id for line in problem.lines}
    found = []
    for site in rank_sites(problem.sites):
        one = filter_site(prepared.policy, rule, problem, site, skus, days.get(site.id), NOTHING)
        if not isinstance(one, Removed):
            found.append(one)
    found.sort(key=lambda one: price_parcel(rule.objective, one, count_late_days(problem, one)).total)
    kept = [one for one in found if one.site.id in days]
    return kept + [one for one in found if one.site.id not in days][:SITES_MAX]


def _choose(
    rule: Rule,
    problem: Problem,
    found: Sequence[Open],
    lines: Sequence[Wanted],
    held: Mapping[tuple[int, int], int],
    bundles: Sequence[Bundle],
) -> BacklogOrder:
    uses = {one.line: tuple((line.sku_id, units) for line, units in one.parts) for one in bundles}
    parcels = tuple(
        ParcelChoice(
            one.site.id,
            DayKey(one.site.id, one.day),
            price_parcel(rule.objective, one, count_late_days(problem, one)).total,
        )
        for one in found
    )
    choices = []
    for line in lines:
        whole = sum(number == line.line for _, number in held) == 1
        prices = {
            one.site.id: price_unit(rule.objective, one, line.sku_id, line.weight_grams).total
            for one in found
            if line.sku_id in one.site.held
            and ((one.site.id, line.line) in held or one.offered.get(line.sku_id, 0) >= (line.quantity if whole else 1))
        }
        choices.append(LineChoice(line.sku_id, line.quantity, whole, prices, uses.get(line.line, ())))
    return BacklogOrder(parcels, tuple(choices))


def _count_places(prepared: Any, freed: Counter[DayKey]) -> dict[Any, int]:
    """Orders that each day with a limit would take if none of these were there."""
    places: dict[Any, int] = {}
    for one in prepared:
        limited = {house.id: house.capacity for house, _ in one.houses if house.capacity is not None}
        for key, space in one.days.items():
            if space.capacity is not None:
                places[key] = space.capacity - space.taken + freed[key]
        for key in one.locks | freed.keys():
            if key.warehouse_id in limited:
                places.setdefault(key, limited[key.warehouse_id])
    return places


def _answer(pieces: Sequence[Piece], solution: BacklogSolution | None, currency: str, orders: int) -> Answer:
    moves, before, after = [], 0, 0
    for number, piece in enumerate(pieces):
        now = _cost(piece, piece.now)
        then = piece.now if solution is None else _read(piece, solution.given[number])
        cost = _cost(piece, then)
        before, after = before + now, after + cost
        if then != piece.now and cost < now:
            moves.append(_describe(piece, then, now - cost))
        else:
            after += now - cost
    return {
        "orders": orders,
        "left_out": orders - len(pieces),
        "currency": currency,
        "before": before,
        "after": after,
        "optimal": solution is not None and solution.optimal,
        "moves": moves,
    }


def _read(piece: Piece, given: Sequence[Mapping[int, int]]) -> dict[tuple[int, int], int]:
    return {
        (site, line): units for line, sites in zip(piece.lines, given, strict=True) for site, units in sites.items()
    }


def _cost(piece: Piece, units: Mapping[tuple[int, int], int]) -> int:
    parcels = {parcel.site: parcel.cost for parcel in piece.choice.parcels}
    prices = {line: choice.prices for line, choice in zip(piece.lines, piece.choice.lines, strict=True)}
    goods = sum(prices[line][site] * count for (site, line), count in units.items())
    return sum(parcels[site] for site in {site for site, _ in units}) + goods


def _describe(piece: Piece, then: Mapping[tuple[int, int], int], saves: int) -> Answer:
    """A move, with the versions of the work that it is about: applied only to just that."""
    parcels: dict[int, dict[str, int]] = defaultdict(dict)
    kits = {bundle.line: bundle.parts for bundle in piece.bundles}
    for (site, line), units in then.items():
        if line in kits:
            parcels[site] |= {str(part.line): units * per_kit for part, per_kit in kits[line]}
        else:
            parcels[site][str(line)] = units
    return {
        "order": str(piece.order.id),
        "saves": saves,
        "works": [[str(work.id), work.version] for work in piece.order.scheduled],
        "parcels": [
            {"warehouse": site, "day": piece.days[site].isoformat(), "units": units} for site, units in parcels.items()
        ],
        "candidates": [parcel.site for parcel in piece.choice.parcels],
        "from": sorted({work.warehouse_id for work in piece.order.scheduled}),
    }
