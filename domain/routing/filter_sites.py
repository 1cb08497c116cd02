"""Which warehouses a rule may use for an order, the day on which each could send it, and what took out the others.

Filters are tried in this order, and the first that does not hold is what is told: BARRED, STATUS, CODE, KIND, GROUP,
DISTANCE, CARRIER, CUT_OFF, CLOSED or CAPACITY, STOCK.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.routing.match_rules import match_rule, reaches
from domain.routing.policy import Band, Policy, Rule, SiteFilter
from domain.routing.problem import Day, Problem, Site

ONE_DAY = datetime.timedelta(days=1)
zone_of = lru_cache(maxsize=1_024)(ZoneInfo)


@dataclass(frozen=True, slots=True)
class Open:
    """A warehouse that passed every filter. `offered`: units by SKU id; `band`: what its parcel costs."""

    site: Site
    band: Band
    day: datetime.date
    space: Day
    offered: dict[int, int]


@dataclass(frozen=True, slots=True)
class Removed:
    """A warehouse that did not pass `filter`."""

    site: Site
    filter: str
    detail: str


def filter_site(
    policy: Policy,
    rule: Rule,
    problem: Problem,
    site: Site,
    skus: Iterable[int],
    sending: datetime.date | None,
    used: Mapping[int, int],
) -> Open | Removed:
    """What `site` may give to the plan, or why nothing.

    `sending`: the day on which a parcel of this plan leaves there already; another unit then needs no other day.
    `used`: units by SKU id that the plan takes there already.
    """
    wanted = rule.sites
    reason = _refuse_kind(wanted, site) or _refuse_distance(wanted, site)
    if reason is not None:
        return Removed(site, *reason)
    band = find_band(policy, problem, site)
    if band is None:
        return Removed(site, "CARRIER", "no tariff from there to the destination")
    found = _find_day(wanted, problem, site) if sending is None else (sending, day_of(site, sending))
    if isinstance(found, str):
        return Removed(site, found, _explain_day(found, wanted))
    offered = _offer_stock(wanted, site, skus, used)
    if not offered:
        return Removed(site, "STOCK", "holds none of what is wanted above what stays there")
    return Open(site, band, *found, offered)


def may_fill(policy: Policy, problem: Problem, site: Site) -> bool:
    """Whether the policy lets `site` fill every line of the order, were the units there, and a place on a day."""
    left = {line.line: line for line in problem.lines}
    for rule in policy.rules:
        matched = match_rule(policy, rule, problem, list(left.values()))
        reason = _refuse_kind(rule.sites, site) or _refuse_distance(rule.sites, site)
        if reason is None and find_band(policy, problem, site) is not None:
            for line in matched:
                del left[line.line]
        elif rule.last and matched:
            return False
    return not left


def _refuse_kind(wanted: SiteFilter, site: Site) -> tuple[str, str] | None:
    if site.barred is not None:
        return "BARRED", site.barred
    if site.status not in wanted.statuses:
        return "STATUS", site.status
    if wanted.codes and site.code not in wanted.codes:
        return "CODE", "not among the rule's warehouses"
    if wanted.kinds and site.kind not in wanted.kinds:
        return "KIND", site.kind
    if wanted.groups and not wanted.groups & site.groups:
        return "GROUP", "in none of the rule's groups"
    return None


def _refuse_distance(wanted: SiteFilter, site: Site) -> tuple[str, str] | None:
    limit = wanted.max_distance_km
    if limit is None or (site.distance_km is not None and site.distance_km <= limit):
        return None
    if site.distance_km is None:
        return "DISTANCE", f"not known, at most {limit:g} km"
    return "DISTANCE", f"{site.distance_km:.0f} km, at most {limit:g} km"


def find_band(policy: Policy, problem: Problem, site: Site) -> Band | None:
    """The price of a parcel from `site` to the order's destination; None when no carrier goes there.

    While nobody knows where it goes any tariff of the warehouse is as good: its units are promised meanwhile.
    """
    distance = policy.unknown_km if site.distance_km is None else site.distance_km
    for tariff in policy.tariffs:
        if tariff.warehouses and site.code not in tariff.warehouses:
            continue
        known = problem.country_code is not None
        if tariff.destinations and known and not reaches(tariff.destinations, problem):
            continue
        return next((band for band in tariff.bands if band.up_to_km is None or distance <= band.up_to_km), None)
    return None


def day_of(site: Site, day: datetime.date) -> Day:
    return site.days.get(day) or Day(site.capacity)


def local_day(moment: datetime.datetime, time_zone: str) -> datetime.date:
    """The date on a wall in `time_zone`."""
    return moment.astimezone(zone_of(time_zone)).date()


def choose_cut_off(rule: datetime.time | None, site: datetime.time | None) -> datetime.time | None:
    """The earlier one: what comes after the warehouse's own is given to it the next day, whatever a rule says."""
    return min((one for one in (rule, site) if one is not None), default=None)


def first_day(now: datetime.datetime, time_zone: str, cut_off: datetime.time | None) -> datetime.date:
    """Today there, or tomorrow once the cut-off has come."""
    local = now.astimezone(zone_of(time_zone))
    late = cut_off is not None and local.time() >= cut_off
    return local.date() + ONE_DAY if late else local.date()


def _find_day(wanted: SiteFilter, problem: Problem, site: Site) -> tuple[datetime.date, Day] | str:
    """The first day with room, or the filter that left none."""
    day = first_day(problem.now, site.time_zone, choose_cut_off(wanted.cut_off, site.cut_off))
    last = local_day(problem.now, site.time_zone) + ONE_DAY * wanted.days_ahead_max
    if day > last:
        return "CUT_OFF"
    needed, reason = max(1, wanted.capacity_left_min), "CLOSED"
    while day <= last:
        if site.opening.is_open(day):
            space, reason = day_of(site, day), "CAPACITY"
            if space.capacity is None or space.capacity - space.taken >= needed:
                return day, space
        day += ONE_DAY
    return reason


def _explain_day(reason: str, wanted: SiteFilter) -> str:
    if reason == "CUT_OFF":
        return "the day's cut-off has come, and no later day is allowed"
    if reason == "CLOSED":
        return f"it does not work within {wanted.days_ahead_max} days"
    return f"no day has room within {wanted.days_ahead_max} days"


def _offer_stock(wanted: SiteFilter, site: Site, skus: Iterable[int], used: Mapping[int, int]) -> dict[int, int]:
    offered = {}
    safety = wanted.keep_safety_stock
    for sku_id in skus:
        held = site.held.get(sku_id)
        if held is None:
            continue
        kept = wanted.keep_back + (held.safety_stock if safety else 0) + used.get(sku_id, 0)
        units = held.available - kept
        if units > 0:
            offered[sku_id] = units
    return offered
