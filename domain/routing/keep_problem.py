"""A problem to and from the JSON that is kept with its decision, so that it can be decided again."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from domain.kits import Part
from domain.opening import ALWAYS, EVERY_DAY, Opening
from domain.routing.policy import DAYS_AHEAD_MAX
from domain.routing.problem import Day, Held, Problem, Site, Wanted

ONE_DAY = datetime.timedelta(days=1)

_PLAIN = ("channel", "country_code", "region_code", "postal_code", "value_micros", "currency", "precision")
_MOMENTS = ("now", "ship_by", "deliver_by")


def keep_problem(problem: Problem) -> dict[str, Any]:
    """Plain JSON. Numbers of a SKU or a day are short lists: available, safety stock, version, weekly; capacity, taken,
    version."""
    kept: dict[str, Any] = {name: getattr(problem, name) for name in _PLAIN}
    for name in _MOMENTS:
        moment = getattr(problem, name)
        kept[name] = None if moment is None else moment.isoformat()
    kept["lines"] = [
        [line.line, line.sku_id, line.quantity, line.weight_grams, sorted(line.tags), *(line.part or ())]
        for line in problem.lines
    ]
    kept["scheduled"] = {str(site): day.isoformat() for site, day in problem.scheduled.items()}
    kept["sites"] = [_keep_site(site) | _keep_opening(site, problem.now.date()) for site in problem.sites]
    return kept


def _keep_site(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "code": site.code,
        "kind": site.kind,
        "status": site.status,
        "zone": site.time_zone,
        "km": site.distance_km,
        "capacity": site.capacity,
        "groups": sorted(site.groups),
        "cut_off": None if site.cut_off is None else site.cut_off.isoformat(),
        "barred": site.barred,
        "held": {
            str(sku): [held.available, held.safety_stock, held.version, held.weekly] for sku, held in site.held.items()
        },
        "days": {day.isoformat(): [space.capacity, space.taken, space.version] for day, space in site.days.items()},
    }


def _keep_opening(site: Site, today: datetime.date) -> dict[str, Any]:
    """Nothing for one that always works. Days that no decision looks at are left out."""
    first, last = today - ONE_DAY, today + ONE_DAY * (DAYS_AHEAD_MAX + 2)
    closed = sorted(day.isoformat() for day in site.opening.closed_on if first <= day <= last)
    if not closed and site.opening.weekdays == EVERY_DAY:
        return {}
    return {"opening": [sorted(site.opening.weekdays), closed]}


def _revive_opening(kept: Any) -> Opening:
    if kept is None:
        return ALWAYS
    return Opening(frozenset(kept[0]), frozenset(map(datetime.date.fromisoformat, kept[1])))


def revive_problem(kept: Mapping[str, Any]) -> Problem:
    """What `keep_problem` kept."""
    moments: dict[str, Any] = {
        name: None if kept[name] is None else datetime.datetime.fromisoformat(kept[name]) for name in _MOMENTS
    }
    lines = tuple(
        Wanted(line, sku, units, grams, frozenset(tags), Part(*part) if part else None)
        for line, sku, units, grams, tags, *part in kept["lines"]
    )
    sites = tuple(_revive_site(site) for site in kept["sites"])
    scheduled = {int(site): datetime.date.fromisoformat(day) for site, day in kept["scheduled"].items()}
    plain = {name: kept[name] for name in _PLAIN}
    return Problem(**moments, **plain, lines=lines, sites=sites, scheduled=scheduled)


def _revive_site(kept: Mapping[str, Any]) -> Site:
    return Site(
        kept["id"],
        kept["code"],
        kept["kind"],
        kept["status"],
        kept["zone"],
        kept["km"],
        {int(sku): Held(*numbers) for sku, numbers in kept["held"].items()},
        {datetime.date.fromisoformat(day): Day(*numbers) for day, numbers in kept["days"].items()},
        kept["capacity"],
        frozenset(kept["groups"]),
        None if kept["cut_off"] is None else datetime.time.fromisoformat(kept["cut_off"]),
        kept["barred"],
        _revive_opening(kept.get("opening")),
    )
