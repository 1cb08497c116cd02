"""What given parcels would cost under a policy, whoever chose them: to hold a plan against what really happened."""

from __future__ import annotations

from collections.abc import Iterable

from domain.routing.filter_sites import Open, day_of, find_band
from domain.routing.match_rules import match_rule
from domain.routing.plan import Parcel, Terms
from domain.routing.policy import Objective, Policy
from domain.routing.price_sites import count_late_days, price_parcel, price_unit
from domain.routing.problem import Problem, Site


def price_parcels(policy: Policy, problem: Problem, parcels: Iterable[Parcel]) -> tuple[Terms, int]:
    """Their terms under the first rule that is for the order, and the days they are late in all.

    A warehouse to which the policy knows no tariff, or that is not in the problem, costs no shipping.
    """
    objective = _find_objective(policy, problem)
    sites = {site.id: site for site in problem.sites}
    weights = {line.line: (line.sku_id, line.weight_grams) for line in problem.lines}
    total, late = Terms(), 0
    for parcel in parcels:
        site = sites.get(parcel.site_id)
        if site is None:
            continue
        found = _open(policy, problem, site, parcel)
        if found is None:
            continue
        days = count_late_days(problem, found)
        late += days
        if not parcel.joins:
            total += price_parcel(objective, found, days)
        for line, units in parcel.units.items():
            sku_id, grams = weights[line]
            if sku_id in site.held:
                terms = price_unit(objective, found, sku_id, grams)
                total += Terms(shipping=terms.shipping * units, cover=terms.cover * units)
    return total, late


def _find_objective(policy: Policy, problem: Problem) -> Objective:
    for rule in policy.rules:
        if match_rule(policy, rule, problem, list(problem.lines)):
            return rule.objective
    return policy.rules[-1].objective


def _open(policy: Policy, problem: Problem, site: Site, parcel: Parcel) -> Open | None:
    band = find_band(policy, problem, site)
    return None if band is None else Open(site, band, parcel.day, day_of(site, parcel.day), {})
