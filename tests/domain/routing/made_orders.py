"""Seeded routing problems, and what a plan for them must keep."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict

from domain.routing.plan import Plan
from domain.routing.problem import Day, Held, Problem, Site, Wanted

NOW = datetime.datetime(2026, 11, 25, 10, 0, tzinfo=datetime.UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")


def make_site(chance: random.Random, number: int, skus: int, fill: float, units_max: int) -> Site:
    held = {
        sku: Held(chance.randint(1, units_max), chance.randint(0, 2), number, chance.choice((0.0, 1.5, 6.0)))
        for sku in range(skus)
        if chance.random() < fill
    }
    capacity = chance.choice((None, 5, 50))
    today = NOW.date()
    days = {
        today + datetime.timedelta(days=n): Day(capacity, 0 if capacity is None else chance.randint(0, capacity))
        for n in range(3)
    }
    return Site(
        number,
        f"W{number:02}",
        chance.choice(("OWN", "THIRD_PARTY")),
        "LIVE",
        chance.choice(ZONES),
        chance.choice((None, *[round(chance.uniform(5, 6_000), 1)] * 9)),
        held,
        days,
        capacity,
        frozenset(chance.sample(("eu", "us", "cold"), chance.randint(0, 2))),
        chance.choice((None, datetime.time(14))),
    )


def make_problem(
    chance: random.Random, *, lines_max: int = 8, sites: int = 12, fill: float = 0.5, units_max: int = 8
) -> Problem:
    count = chance.randint(1, lines_max)
    lines = tuple(
        Wanted(n, n, chance.randint(1, 6), chance.randint(50, 4_000), frozenset(chance.sample(("big", "cold"), 1)))
        for n in range(count)
    )
    return Problem(
        NOW,
        chance.choice(("shop", "market")),
        lines,
        tuple(make_site(chance, n, count, fill, units_max) for n in range(sites)),
        chance.choice(("DE", "US", None)),
        chance.choice(("CA", None)),
        chance.choice(("10115", "94 016", None)),
        chance.randint(1, 900) * 1_000_000,
        "EUR",
        chance.choice((None, NOW + datetime.timedelta(days=1))),
        chance.choice((None, NOW + datetime.timedelta(days=3))),
    )


def check_plan(problem: Problem, plan: Plan) -> None:
    """Every unit is in a parcel or waits, no warehouse gives more than it has, no day takes more than it can."""
    sites = {site.id: site for site in problem.sites}
    line_skus = {line.line: line.sku_id for line in problem.lines}
    got: dict[int, int] = defaultdict(int)
    assert len({parcel.site_id for parcel in plan.parcels}) == len(plan.parcels)
    for parcel in plan.parcels:
        site, taken = sites[parcel.site_id], defaultdict[int, int](int)
        for line, units in parcel.units.items():
            assert units > 0
            got[line] += units
            taken[line_skus[line]] += units
        assert all(units <= site.held[sku].available for sku, units in taken.items())
        day = site.days.get(parcel.day, Day(site.capacity))
        assert day.capacity is None or day.taken < day.capacity
    for wanted in problem.lines:
        assert got[wanted.line] + plan.waiting.get(wanted.line, 0) == wanted.quantity
