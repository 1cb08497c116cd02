"""Route an order: rule by rule, each filling what it can at the least cost, the rest falling to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.routing.bundle_kits import bundle_kits, unbundle_kits
from domain.routing.filter_sites import Open, Removed, filter_site
from domain.routing.match_rules import match_rule
from domain.routing.plan import Candidate, Parcel, Plan, Step, Terms
from domain.routing.policy import Policy, Rule
from domain.routing.price_sites import count_late_days, price_parcel, price_unit
from domain.routing.problem import Problem, Site, Wanted
from domain.routing.solve import CELLS_MAX, Facility, Solution, Source, solve

NOTHING: Mapping[int, int] = {}


@dataclass(slots=True)
class _Draft:
    """A parcel being filled over several rules."""

    found: Open
    late_days: int
    terms: Terms
    units: dict[int, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _Work:
    """What is left to fill, and what the plan has taken so far."""

    left: dict[int, int]
    drafts: dict[int, _Draft] = field(default_factory=dict)
    used: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Offer:
    """An open warehouse with its prices: `parcel` of one more parcel, `units` by SKU id."""

    found: Open
    late_days: int
    parcel: Terms
    units: dict[int, Terms]


def rank_sites(sites: Iterable[Site]) -> list[Site]:
    """The nearest first, then by code; those whose distance is not known come last."""
    far = float("inf")
    return sorted(sites, key=lambda site: (far if site.distance_km is None else site.distance_km, site.code))


def route(policy: Policy, problem: Problem, cells_max: int = CELLS_MAX) -> Plan:
    """The plan that `policy` makes for `problem`: always the same for the same two and `cells_max`. Kits are whole."""
    bundled, bundles = bundle_kits(problem)
    return unbundle_kits(_route(policy, bundled, cells_max), bundles)


def _route(policy: Policy, problem: Problem, cells_max: int) -> Plan:
    sites, work = rank_sites(problem.sites), _Work({line.line: line.quantity for line in problem.lines})
    lines = sorted(problem.lines, key=lambda line: line.line)
    for rule in policy.rules:
        open_lines = [line for line in lines if work.left[line.line]]
        matched = match_rule(policy, rule, problem, open_lines)
        if matched:
            _apply_rule(policy, rule, problem, sites, matched, work, cells_max)
        if rule.last:
            stopped = {line.line for line in matched}
            lines = [line for line in lines if line.line not in stopped]
    parcels = tuple(_seal(draft, problem) for _, draft in sorted(work.drafts.items()) if draft.units)
    return Plan(parcels, {line: units for line, units in work.left.items() if units}, tuple(work.steps))


def _apply_rule(
    policy: Policy,
    rule: Rule,
    problem: Problem,
    sites: Sequence[Site],
    lines: Sequence[Wanted],
    work: _Work,
    cells_max: int,
) -> None:
    wanted: dict[int, int] = defaultdict(int)
    weights = {line.sku_id: line.weight_grams for line in lines}
    for line in lines:
        wanted[line.sku_id] += work.left[line.line]
    offers, candidates = [], []
    for site in sites:
        draft = work.drafts.get(site.id)
        sending = problem.scheduled.get(site.id) if draft is None else draft.found.day
        found = filter_site(policy, rule, problem, site, wanted, sending, work.used.get(site.id, NOTHING))
        if isinstance(found, Removed):
            candidates.append(Candidate(site.id, site.code, site.distance_km, found.filter, found.detail))
            continue
        offer = price_offer(rule, problem, found, weights, sending is not None)
        offers.append(offer)
        candidates.append(describe_offer(offer))
    splits = rule.objective.split_lines
    solution = _solve(offers, wanted, {*work.drafts, *problem.scheduled}, cells_max, splits=splits)
    cost = _take(offers, wanted, lines, solution, work)
    solver = "NONE" if not offers else "EXACT" if solution.exact else "HEURISTIC"
    numbers = tuple(line.line for line in lines)
    work.steps.append(Step(rule.name, numbers, tuple(candidates), solver, cost, solution.gap, solution.cells))


def price_offer(rule: Rule, problem: Problem, found: Open, weights: Mapping[int, int], is_sending: bool) -> Offer:
    late_days = count_late_days(problem, found)
    parcel = Terms() if is_sending else price_parcel(rule.objective, found, late_days)
    units = {sku_id: price_unit(rule.objective, found, sku_id, weights[sku_id]) for sku_id in found.offered}
    return Offer(found, late_days, parcel, units)


def describe_offer(offer: Offer) -> Candidate:
    found = offer.found
    return Candidate(
        found.site.id,
        found.site.code,
        found.site.distance_km,
        day=found.day,
        late_days=offer.late_days,
        terms=offer.parcel,
        offered=found.offered,
    )


def _solve(
    offers: Sequence[Offer], wanted: Mapping[int, int], sending: Collection[int], cells_max: int, *, splits: bool
) -> Solution:
    facilities = [Facility(offer.parcel.total, offer.found.site.id not in sending) for offer in offers]
    demands = [
        (
            units,
            [
                Source(place, offer.found.offered[sku_id], offer.units[sku_id].total)
                for place, offer in enumerate(offers)
                if sku_id in offer.found.offered
            ],
        )
        for sku_id, units in wanted.items()
    ]
    return solve(facilities, demands, cells_max, splits=splits)


def _take(
    offers: Sequence[Offer],
    wanted: Mapping[int, int],
    lines: Sequence[Wanted],
    solution: Solution,
    work: _Work,
) -> int:
    """Put what was decided into parcels; the cost that it adds."""
    cost = 0
    for sku_id, given in zip(wanted, solution.given, strict=True):
        same = [line for line in lines if line.sku_id == sku_id]
        shares = _share_out(same, work.left, given)
        for place, units in given.items():
            offer = offers[place]
            site_id = offer.found.site.id
            draft = work.drafts.get(site_id)
            if draft is None:
                draft = work.drafts[site_id] = _Draft(offer.found, offer.late_days, offer.parcel)
                cost += offer.parcel.total
            spent = times(offer.units[sku_id], units)
            draft.terms += spent
            cost += spent.total
            work.used[site_id][sku_id] += units
            for line, share in shares[place].items():
                draft.units[line] += share
                work.left[line] -= share
    return cost


def _share_out(lines: Sequence[Wanted], left: Mapping[int, int], given: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """Units by place and line: lines of one SKU, the largest first, whole where one place has enough left for it."""
    rest, shares = dict(given), {place: defaultdict[int, int](int) for place in given}
    for line in sorted(lines, key=lambda line: (-left[line.line], line.line)):
        missing = left[line.line]
        whole = [place for place in rest if rest[place] >= missing]
        for place in whole[:1] or rest:
            units = min(missing, rest[place])
            if units:
                shares[place][line.line] += units
                rest[place] -= units
                missing -= units
    return {place: dict(found) for place, found in shares.items()}


def times(terms: Terms, units: int) -> Terms:
    return Terms(shipping=terms.shipping * units, cover=terms.cover * units)


def _seal(draft: _Draft, problem: Problem) -> Parcel:
    found = draft.found
    return Parcel(
        found.site.id,
        found.site.code,
        found.day,
        dict(sorted(draft.units.items())),
        draft.terms,
        found.site.distance_km,
        draft.late_days,
        found.band.transit_days,
        found.site.id in problem.scheduled,
    )
