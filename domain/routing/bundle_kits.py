"""Kits are promised whole: while it is routed, a kit is one line of a SKU that a warehouse holds as often as its parts
make it, and the plan is told in parts again.

Units that complete a kit whose other parts are promised already are a line like any other. Where a kit and another
line want the same SKU, the kit has what is there first, in each warehouse for itself: too little may be promised at
once, never too much, and what is left over is a backorder that is filled by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.kits import Part
from domain.routing.plan import Candidate, Parcel, Plan, Step
from domain.routing.problem import Held, Problem, Site, Wanted


@dataclass(frozen=True, slots=True)
class Bundle:
    """`kits` of a group as one line. `line` and `sku_id` are below zero. `parts`: each line with its units in a kit."""

    line: int
    sku_id: int
    kits: int
    parts: tuple[tuple[Wanted, int], ...]


def bundle_kits(problem: Problem) -> tuple[Problem, list[Bundle]]:
    """The problem with a line for each kit; the same one when it has none."""
    groups: dict[str, list[tuple[Wanted, Part]]] = defaultdict(list)
    for line in problem.lines:
        if line.part is not None:
            groups[line.part.group].append((line, line.part))
    bundles: list[Bundle] = []
    for _, found in sorted(groups.items()):
        kits = min(line.quantity // part.units for line, part in found)
        if kits and len(found) == found[0][1].parts:
            parts = tuple((line, part.units) for line, part in found)
            bundles.append(Bundle(-1 - min(line.line for line, _ in found), -1 - len(bundles), kits, parts))
    if not bundles:
        return problem, []
    sites = tuple(_stock_kits(site, bundles) for site in problem.sites)
    return replace(problem, lines=_write_lines(problem.lines, bundles), sites=sites), bundles


def _write_lines(lines: Sequence[Wanted], bundles: Sequence[Bundle]) -> tuple[Wanted, ...]:
    whole = {line.line: bundle.kits * units for bundle in bundles for line, units in bundle.parts}
    rest = [replace(line, quantity=line.quantity - whole.get(line.line, 0)) for line in lines]
    kits = [
        Wanted(
            bundle.line,
            bundle.sku_id,
            bundle.kits,
            sum(line.weight_grams * units for line, units in bundle.parts),
            frozenset().union(*(line.tags for line, _ in bundle.parts)),
        )
        for bundle in bundles
    ]
    return (*kits, *(line for line in rest if line.quantity))


def _stock_kits(site: Site, bundles: Sequence[Bundle]) -> Site:
    held = dict(site.held)
    for bundle in bundles:
        stocks = [(held.get(line.sku_id), units) for line, units in bundle.parts]
        there = [(stock, units) for stock, units in stocks if stock is not None]
        if len(there) < len(stocks):
            continue
        kits = min(max(0, stock.available) // units for stock, units in there)
        above = min(max(0, stock.available - stock.safety_stock) // units for stock, units in there)
        weekly = max(stock.weekly / units for stock, units in there)
        held[bundle.sku_id] = Held(kits, kits - above, 0, weekly)
        for line, units in bundle.parts:
            stock = held[line.sku_id]
            held[line.sku_id] = replace(stock, available=stock.available - min(kits, bundle.kits) * units)
    return replace(site, held=held)


def unbundle_kits(plan: Plan, bundles: Sequence[Bundle]) -> Plan:
    """The plan with the parts of each kit where the kit was."""
    if not bundles:
        return plan
    by_line = {bundle.line: bundle for bundle in bundles}
    by_sku = {bundle.sku_id: bundle for bundle in bundles}
    return Plan(
        tuple(_open_parcel(parcel, by_line) for parcel in plan.parcels),
        _open_lines(plan.waiting, by_line),
        tuple(_open_step(step, by_line, by_sku) for step in plan.steps),
    )


def _open_lines(units: Mapping[int, int], bundles: Mapping[int, Bundle]) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for number, count in units.items():
        if number not in bundles:
            found[number] += count
            continue
        for line, per_kit in bundles[number].parts:
            found[line.line] += count * per_kit
    return dict(sorted(found.items()))


def _open_parcel(parcel: Parcel, bundles: Mapping[int, Bundle]) -> Parcel:
    return replace(parcel, units=_open_lines(parcel.units, bundles))


def _open_step(step: Step, by_line: Mapping[int, Bundle], by_sku: Mapping[int, Bundle]) -> Step:
    lines = tuple(_open_lines(dict.fromkeys(step.lines, 1), by_line))
    return replace(step, lines=lines, candidates=tuple(_open_offer(one, by_sku) for one in step.candidates))


def _open_offer(candidate: Candidate, bundles: Mapping[int, Bundle]) -> Candidate:
    offered: dict[int, int] = defaultdict(int)
    for sku_id, units in candidate.offered.items():
        if sku_id not in bundles:
            offered[sku_id] += units
            continue
        for line, per_kit in bundles[sku_id].parts:
            offered[line.sku_id] += units * per_kit
    return replace(candidate, offered=dict(offered))
