"""What was decided for an order among many: given from outside, explained and priced by the policy as if alone."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from domain.routing.filter_sites import Removed, filter_site
from domain.routing.match_rules import match_rule
from domain.routing.plan import Candidate, Parcel, Plan, Step
from domain.routing.policy import Policy, Rule
from domain.routing.problem import Problem, Site
from domain.routing.route import NOTHING, Offer, describe_offer, price_offer, rank_sites, times

BATCH = "BATCH"


class Share(NamedTuple):
    """A parcel that the batch gives the order: units by line, from a warehouse, on a day."""

    site_id: int
    day: datetime.date
    units: Mapping[int, int]


def find_rule(policy: Policy, problem: Problem) -> Rule | None:
    """The first rule that is for every line: a batch is planned by one."""
    lines = list(problem.lines)
    return next((rule for rule in policy.rules if match_rule(policy, rule, problem, lines) == lines), None)


def explain_batch(policy: Policy, problem: Problem, shares: Sequence[Share]) -> Plan | None:
    """The shares as a plan, beside every candidate on the stock that the batch leaves to this order.

    None when the policy has no rule for all of the order, or does not let one of the warehouses fill it.
    """
    rule, days = find_rule(policy, problem), {share.site_id: share.day for share in shares}
    if rule is None:
        return None
    weights = {line.sku_id: line.weight_grams for line in problem.lines}
    offers: dict[int, Offer] = {}
    candidates = []
    for site in rank_sites(problem.sites):
        offer = _see(policy, rule, problem, site, weights, days.get(site.id))
        if isinstance(offer, Removed):
            candidates.append(Candidate(site.id, site.code, site.distance_km, offer.filter, offer.detail))
        else:
            offers[site.id] = offer
            candidates.append(describe_offer(offer))
    if not days.keys() <= offers.keys():
        return None
    parcels = tuple(_pack(problem, offers[share.site_id], share) for share in sorted(shares))
    cost = sum(parcel.terms.total for parcel in parcels)
    step = Step(rule.name, tuple(line.line for line in problem.lines), tuple(candidates), BATCH, cost)
    return Plan(parcels, {}, (step,))


def _see(
    policy: Policy, rule: Rule, problem: Problem, site: Site, weights: Mapping[int, int], day: datetime.date | None
) -> Offer | Removed:
    """What is given may be of what stays there, if it was promised from there before."""
    if day is not None:
        rule = replace(rule, sites=replace(rule.sites, keep_safety_stock=False, keep_back=0))
    found = filter_site(policy, rule, problem, site, weights, day, NOTHING)
    return found if isinstance(found, Removed) else price_offer(rule, problem, found, weights, is_sending=False)


def _pack(problem: Problem, offer: Offer, share: Share) -> Parcel:
    skus = {line.line: line.sku_id for line in problem.lines}
    terms, found = offer.parcel, offer.found
    for line, count in sorted(share.units.items()):
        terms += times(offer.units[skus[line]], count)
    units = dict(sorted(share.units.items()))
    days = (offer.late_days, found.band.transit_days)
    return Parcel(found.site.id, found.site.code, share.day, units, terms, found.site.distance_km, *days)


def keep_shares(shares: Sequence[Share]) -> list[Any]:
    """Plain JSON, for `revive_shares`."""
    return [[one.site_id, one.day.isoformat(), {str(line): n for line, n in one.units.items()}] for one in shares]


def revive_shares(kept: Sequence[Any]) -> list[Share]:
    return [
        Share(site, datetime.date.fromisoformat(day), {int(line): n for line, n in units.items()})
        for site, day, units in kept
    ]
