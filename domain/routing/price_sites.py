"""What a parcel from a warehouse costs under a rule, and each unit put into it."""

from __future__ import annotations

from domain.routing.filter_sites import Open, local_day
from domain.routing.plan import Terms
from domain.routing.policy import Objective
from domain.routing.problem import Problem

GRAMS = 1_000


def count_late_days(problem: Problem, found: Open) -> int:
    """Days of the warehouse that the parcel leaves after `ship_by`, or arrives after `deliver_by`, if that is more."""
    zone, late = found.site.time_zone, 0
    if problem.ship_by is not None:
        late = (found.day - local_day(problem.ship_by, zone)).days
    if problem.deliver_by is not None:
        late = max(late, (found.day - local_day(problem.deliver_by, zone)).days + found.band.transit_days)
    return max(0, late)


def price_parcel(objective: Objective, found: Open, late_days: int) -> Terms:
    """A parcel before anything is in it. The load is that of the day with this parcel counted."""
    capacity = found.space.capacity
    load = 0 if not capacity else objective.load * (found.space.taken + 1) // capacity
    shipping = found.band.per_parcel * objective.shipping_percent // 100
    return Terms(shipping, objective.parcel, late_days * objective.late_day, load)


def price_unit(objective: Objective, found: Open, sku_id: int, weight_grams: int) -> Terms:
    """One unit. Its cover is that of the stock as it is now: weeks until it is gone at the rate it leaves."""
    shipping = found.band.per_kg * weight_grams // GRAMS * objective.shipping_percent // 100
    held = found.site.held[sku_id]
    if objective.cover == 0 or held.weekly <= 0:
        return Terms(shipping)
    weeks = held.available / held.weekly
    short = max(0.0, 1 - weeks / objective.cover_weeks)
    return Terms(shipping, cover=round(objective.cover * short))
