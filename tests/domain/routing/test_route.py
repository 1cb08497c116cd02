"""Routing an order: rules in turn, each filter told, nothing promised twice, the same answer every time."""

from __future__ import annotations

import datetime
import json
import random
import time
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.opening import Opening
from domain.routing.keep_plan import keep_plan
from domain.routing.keep_problem import keep_problem, revive_problem
from domain.routing.policy import DEFAULT_POLICY, MICROS, Objective, OrderFilter, Policy, Rule, SiteFilter
from domain.routing.problem import Day, Held, Problem, Site, Wanted
from domain.routing.read_policy import read_policy, write_policy
from domain.routing.route import route
from tests.domain.routing.made_orders import NOW, check_plan, make_problem

TODAY = NOW.date()
RULES = (
    Rule(
        "big ones from cold stores", OrderFilter(sku_tags=frozenset(("big",))), SiteFilter(groups=frozenset(("cold",)))
    ),
    Rule("near", sites=SiteFilter(max_distance_km=1_500, keep_safety_stock=True, keep_back=1)),
    Rule("balanced", OrderFilter(channels=frozenset(("shop",))), objective=Objective(load=3 * MICROS, cover=MICROS)),
    Rule("own ones", sites=SiteFilter(kinds=frozenset(("OWN",)), days_ahead_max=1)),
    Rule("any", objective=Objective(parcel=9 * MICROS)),
)


def make_policy(*rules: Rule) -> Policy:
    return replace(DEFAULT_POLICY, name="test", rules=rules)


def site(number: int, km: float | None = 10.0, units: int = 10, **changes: Any) -> Site:
    return replace(Site(number, f"W{number}", "OWN", "LIVE", "UTC", km, {1: Held(units), 2: Held(units)}), **changes)


def order(*sites: Site, quantity: int = 2, **changes: Any) -> Problem:
    return replace(Problem(NOW, "shop", (Wanted(0, 1, quantity, 500),), sites, "DE"), **changes)


def removed_by(policy: Policy, problem: Problem) -> dict[str, str | None]:
    return {found.code: found.removed for found in route(policy, problem).steps[0].candidates}


@given(st.integers(0, 10**9), st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique=True))
@settings(max_examples=150, deadline=None)
def test_any_order_under_any_rules_is_filled_or_waits_and_replays_the_same(seed: int, rules: list[Rule]) -> None:
    policy, problem = make_policy(*rules), make_problem(random.Random(seed))
    plan = route(policy, problem)
    check_plan(problem, plan)
    kept = json.loads(json.dumps([write_policy(policy), keep_problem(problem), keep_plan(plan)]))
    again = route(read_policy(kept[0]), revive_problem(kept[1]))
    assert again == plan
    assert json.loads(json.dumps(keep_plan(again))) == kept[2]


def test_without_a_policy_the_nearest_that_holds_all_sends_one_parcel() -> None:
    near, far = site(1, 20.0, units=1), site(2, 400.0)
    plan = route(DEFAULT_POLICY, order(near, far, site(3, 900.0)))
    assert [(parcel.code, dict(parcel.units)) for parcel in plan.parcels] == [("W2", {0: 2})]
    assert route(DEFAULT_POLICY, order(far, site(1, 20.0), site(3, None))).parcels[0].code == "W1"


def test_within_one_band_the_nearest_wins_and_equal_distance_goes_by_code() -> None:
    assert route(DEFAULT_POLICY, order(site(1, 30.0), site(2, 12.0), site(3, 31.0))).parcels[0].code == "W2"
    assert route(DEFAULT_POLICY, order(site(2, 12.0), site(1, 12.0))).parcels[0].code == "W1"


def test_a_line_that_nobody_holds_alone_is_split_and_the_rest_waits() -> None:
    plan = route(DEFAULT_POLICY, order(site(1, units=3), site(2, units=4), quantity=9))
    assert sorted(dict(parcel.units)[0] for parcel in plan.parcels) == [3, 4]
    assert plan.waiting == {0: 2}
    assert plan.solver == "EXACT"


def test_a_line_is_split_only_where_the_policy_lets_it_be_cheaper() -> None:
    """Two lines that only W1 and W2 hold, and a third that only W3 holds whole: W1 and W2 send anyway."""
    first, second, third = (site(number, units=0) for number in (1, 2, 3))
    sites = (
        replace(first, held={1: Held(2), 3: Held(1)}),
        replace(second, held={2: Held(2), 3: Held(1)}),
        replace(third, held={3: Held(2)}),
    )
    problem = order(*sites)
    problem = replace(problem, lines=tuple(Wanted(line, line + 1, 2, 500) for line in range(3)))
    whole = route(make_policy(Rule("any")), problem)
    split = route(make_policy(Rule("any", objective=Objective(split_lines=True))), problem)
    assert [parcel.site_id for parcel in whole.parcels] == [1, 2, 3]
    assert [(parcel.site_id, parcel.units) for parcel in split.parcels] == [(1, {0: 2, 2: 1}), (2, {1: 2, 2: 1})]


def test_each_filter_is_named() -> None:
    full = {TODAY + datetime.timedelta(days=n): Day(5, 5) for n in range(40)}
    rule = Rule(
        "strict",
        sites=SiteFilter(
            codes=frozenset(f"W{n}" for n in range(1, 10)),
            kinds=frozenset(("OWN",)),
            groups=frozenset(("eu",)),
            max_distance_km=100,
        ),
    )
    eu = frozenset(("eu",))
    sites = (
        site(1, groups=eu),
        site(2, groups=eu, barred="rejected it"),
        site(3, groups=eu, status="CLOSED"),
        site(10, groups=eu),
        site(4, groups=eu, kind="THIRD_PARTY"),
        site(5),
        site(6, 101.0, groups=eu),
        site(7, None, groups=eu),
        site(8, groups=eu, days=full),
        site(9, groups=eu, held={1: Held(0)}),
    )
    assert removed_by(make_policy(rule), order(*sites)) == {
        "W1": None,
        "W2": "BARRED",
        "W3": "STATUS",
        "W10": "CODE",
        "W4": "KIND",
        "W5": "GROUP",
        "W6": "DISTANCE",
        "W7": "DISTANCE",
        "W8": "CAPACITY",
        "W9": "STOCK",
    }


def test_a_tariff_says_where_carriers_go_and_what_they_cost() -> None:
    bands = [{"upToKm": 500, "perParcel": "3", "perKg": "2"}]
    rules = [{"name": "any", "objective": {"parcel": 0}}]
    tariffs = [{"warehouses": ["W1"], "destinations": ["DE", "US-CA"], "bands": bands}]
    policy = read_policy({"name": "t", "tariffs": tariffs, "rules": rules})
    assert removed_by(policy, order(site(1), site(2))) == {"W1": None, "W2": "CARRIER"}
    assert removed_by(policy, order(site(1, 501.0))) == {"W1": "CARRIER"}
    assert removed_by(policy, order(site(1), country_code="FR")) == {"W1": "CARRIER"}
    assert removed_by(policy, order(site(1), site(2), country_code=None)) == {"W1": None, "W2": "CARRIER"}
    assert removed_by(policy, order(site(1), country_code="US", region_code="CA")) == {"W1": None}
    assert route(policy, order(site(1))).cost == 3 * MICROS + 2 * MICROS  # two units of half a kilogram


def test_after_the_local_cut_off_it_leaves_the_next_day_and_is_late() -> None:
    berlin = site(1, time_zone="Europe/Berlin", cut_off=datetime.time(11))  # it is 11:00 there
    promise = datetime.datetime(2026, 11, 25, 23, tzinfo=datetime.UTC)  # the 26th in Berlin
    plan = route(DEFAULT_POLICY, order(berlin, ship_by=promise - datetime.timedelta(hours=2)))
    assert (plan.parcels[0].day, plan.parcels[0].late_days) == (TODAY + datetime.timedelta(days=1), 1)
    assert plan.parcels[0].terms.late == Objective().late_day
    assert route(DEFAULT_POLICY, order(berlin, ship_by=promise)).parcels[0].late_days == 0
    today = make_policy(Rule("today", sites=SiteFilter(days_ahead_max=0)))
    assert removed_by(today, order(berlin)) == {"W1": "CUT_OFF"}
    later = make_policy(Rule("today", sites=SiteFilter(days_ahead_max=0, cut_off=datetime.time(12))))
    assert removed_by(later, order(berlin)) == {"W1": "CUT_OFF"}, "it is given to the warehouse by the clock there"
    assert removed_by(later, order(replace(berlin, cut_off=datetime.time(13)))) == {"W1": None}
    assert removed_by(later, order(replace(berlin, cut_off=None))) == {"W1": None}
    sooner = make_policy(Rule("today", sites=SiteFilter(days_ahead_max=0, cut_off=datetime.time(10))))
    assert removed_by(sooner, order(replace(berlin, cut_off=datetime.time(13)))) == {"W1": "CUT_OFF"}


def test_a_day_on_which_it_does_not_work_is_none_of_its_days() -> None:
    """It is late by as much, and replays the same."""
    one = datetime.timedelta(days=1)
    week = frozenset(range(1, 8)) - {TODAY.isoweekday()}
    closed = site(1, opening=Opening(week, frozenset((TODAY + one,))))
    promise = order(closed, ship_by=NOW + one)
    plan = route(DEFAULT_POLICY, promise)
    assert (plan.parcels[0].day, plan.parcels[0].late_days) == (TODAY + 2 * one, 1)
    assert route(DEFAULT_POLICY, revive_problem(json.loads(json.dumps(keep_problem(promise))))) == plan
    today = make_policy(Rule("today", sites=SiteFilter(days_ahead_max=0)))
    assert removed_by(today, order(closed, site(2))) == {"W1": "CLOSED", "W2": None}


def test_a_day_must_have_room_for_as_many_orders_as_the_rule_says() -> None:
    busy = site(1, days={TODAY: Day(5, 3)}, capacity=5)
    days = [
        route(make_policy(Rule("a", sites=SiteFilter(capacity_left_min=left))), order(busy)).parcels[0].day
        for left in (1, 2, 3, 5)
    ]
    assert [(day - TODAY).days for day in days] == [0, 0, 1, 1]
    none = make_policy(Rule("a", sites=SiteFilter(capacity_left_min=6)))
    assert removed_by(none, order(busy)) == {"W1": "CAPACITY"}


def test_units_that_are_kept_back_are_not_promised() -> None:
    held = {1: Held(10, safety_stock=2)}
    for wanted, promised in (
        (SiteFilter(), 10),
        (SiteFilter(keep_back=3), 7),
        (SiteFilter(keep_back=3, keep_safety_stock=True), 5),
    ):
        plan = route(make_policy(Rule("a", sites=wanted)), order(site(1, held=held), quantity=10))
        assert dict(plan.parcels[0].units) == {0: promised}
    all_of_it = make_policy(Rule("a", sites=SiteFilter(keep_back=10)))
    assert removed_by(all_of_it, order(site(1, held=held))) == {"W1": "STOCK"}


def test_what_has_no_place_costs_as_if_it_were_as_far_as_the_policy_says() -> None:
    bands = [{"upToKm": 500, "perParcel": "3"}, {"upToKm": 2000, "perParcel": "8"}]
    document = {"name": "t", "tariffs": [{"bands": bands}], "rules": [{"name": "any", "objective": {"parcel": 0}}]}
    lost = site(1, None)
    costs = [route(read_policy(document | {"unknownKm": km}), order(lost)).cost for km in (400, 600)]
    assert costs == [3 * MICROS, 8 * MICROS]
    assert removed_by(read_policy(document | {"unknownKm": 2001}), order(lost)) == {"W1": "CARRIER"}
    far = order(lost, site(2, 501.0))
    chosen = [route(read_policy(document | {"unknownKm": km}), far).parcels[0].code for km in (400, 2001)]
    assert chosen == ["W1", "W2"]


def test_a_promise_can_outweigh_the_distance() -> None:
    full = {TODAY: Day(1, 1)}
    promise = datetime.datetime(2026, 11, 25, 20, tzinfo=datetime.UTC)
    near, far = site(1, 10.0, days=full, capacity=1), site(2, 700.0)
    assert route(DEFAULT_POLICY, order(near, far)).parcels[0].code == "W1"
    assert route(DEFAULT_POLICY, order(near, far, ship_by=promise)).parcels[0].code == "W2"


def test_load_and_cover_spread_work_and_stock() -> None:
    loaded, free = site(1, 10.0, days={TODAY: Day(10, 8)}), site(2, 40.0, days={TODAY: Day(10, 1)})
    assert route(DEFAULT_POLICY, order(loaded, free)).parcels[0].code == "W1"
    assert route(make_policy(Rule("a", objective=Objective(load=MICROS))), order(loaded, free)).parcels[0].code == "W2"
    short, long = site(1, held={1: Held(10, weekly=10.0)}), site(2, 40.0, held={1: Held(10, weekly=2.0)})
    plan = route(make_policy(Rule("a", objective=Objective(cover=MICROS))), order(short, long))
    assert plan.parcels[0].code == "W2"
    assert (
        route(make_policy(Rule("a", objective=Objective(cover=MICROS))), order(short)).parcels[0].terms.cover
        == 1_500_000
    )


def test_what_a_rule_cannot_fill_falls_to_the_next_and_joins_its_parcel() -> None:
    near = Rule("near", sites=SiteFilter(max_distance_km=50, keep_safety_stock=True))
    held = {1: Held(5, safety_stock=3)}
    plan = route(make_policy(near, Rule("any")), order(site(1, 10.0, held=held), site(2, 300.0, units=1), quantity=5))
    assert [(parcel.code, dict(parcel.units)) for parcel in plan.parcels] == [("W1", {0: 5})]
    assert [step.rule for step in plan.steps] == ["near", "any"]
    assert plan.cost == sum(step.cost for step in plan.steps)
    stopped = route(make_policy(replace(near, last=True), Rule("any")), order(site(1, 10.0, held=held), quantity=5))
    assert stopped.waiting == {0: 3}


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (OrderFilter(channels=frozenset(("market",))), False),
        (OrderFilter(destinations=frozenset(("DE",))), True),
        (OrderFilter(destinations=frozenset(("DE-BE",))), False),
        (OrderFilter(destinations=frozenset(("DE",)), postal_prefixes=("10", "11")), True),
        (OrderFilter(destinations=frozenset(("DE",)), postal_prefixes=("2",)), False),
        (OrderFilter(value_min=50 * MICROS), True),
        (OrderFilter(value_max=99 * MICROS), False),
        (OrderFilter(promised=False), False),
        (OrderFilter(promise_days_max=2), True),
        (OrderFilter(promise_days_max=1), False),
        (OrderFilter(sku_tags=frozenset(("cold",))), False),
    ],
)
def test_a_rule_is_for_the_orders_it_names(wanted: OrderFilter, fits: bool) -> None:
    due = NOW + datetime.timedelta(hours=30)
    problem = order(site(1), postal_code="10 115", value_micros=100 * MICROS, currency="EUR", ship_by=due)
    plan = route(make_policy(Rule("a", wanted)), problem)
    assert bool(plan.parcels) == fits
    assert plan.waiting == ({} if fits else {0: 2})


def test_two_lines_of_one_sku_share_its_stock_and_stay_whole() -> None:
    lines = (Wanted(0, 1, 2), Wanted(1, 1, 3))
    plan = route(DEFAULT_POLICY, order(site(1, units=3), site(2, units=2), lines=lines))
    assert [(parcel.code, dict(parcel.units)) for parcel in plan.parcels] == [("W1", {1: 3}), ("W2", {0: 2})]


def test_a_decision_among_twenty_warehouses_takes_a_moment() -> None:
    """The bar is 3 ms on an idle machine; here it must hold for the median with other work beside it."""
    chance = random.Random(7)
    problems = [make_problem(chance, lines_max=5, sites=20, fill=0.7) for _ in range(60)]
    seconds = []
    for problem in problems:
        started = time.perf_counter()
        route(DEFAULT_POLICY, problem)
        seconds.append(time.perf_counter() - started)
    assert median(seconds) < 0.003
