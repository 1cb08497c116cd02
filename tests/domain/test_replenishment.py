"""Forecasts, plans and the play over a past."""

from __future__ import annotations

import datetime
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.replenishment.read_sales import read_sales
from domain.backtest import compare
from domain.forecast import ForecastMethod, Moments, Pool, count_effective_days, forecast_demand, learn_pool
from domain.replenishment import Policy, PolicyKind, StockPlan, order_quantity, plan_stock
from domain.service_level import Sales, expect_shortage, find_reorder_point, gamma_share, share_served

MONDAY = datetime.date(2026, 11, 2)
COMPUTED = Policy(PolicyKind.COMPUTED, service_level=0.95, cover_days=7)


def test_the_shape_of_the_week_is_taken_out_of_the_level() -> None:
    week = [14.0, 10, 10, 10, 10, 6, 0]
    pool = learn_pool([units * 8 for units in week], [8] * 7, [])
    found = forecast_demand(week * 8, MONDAY, pool)
    assert pool.weekdays[6] == 0.0
    assert pool.weekdays[0] > pool.weekdays[1] > pool.weekdays[5]
    assert found.level == pytest.approx(sum(week) / 7, rel=0.1)
    assert found.method is ForecastMethod.SMOOTHED
    assert pool.shape(MONDAY, 7) == pytest.approx(7, rel=0.02)


def test_what_sells_no_more_goes_to_nothing() -> None:
    once = [0.0, 0, 8, 0, 0, 0, 9, 0, 0, 8, 0, 0] * 3
    before = forecast_demand(once, MONDAY, Pool())
    after = forecast_demand([*once, *[0.0] * 40], MONDAY, Pool())
    assert before.method is after.method is ForecastMethod.TSB
    assert after.level < before.level / 20


def test_one_wholesaler_does_not_fill_the_shelf() -> None:
    bulk = [*[5.0] * 29, 5_000.0]
    cut, whole = (forecast_demand(bulk, MONDAY, Pool(), limit) for limit in (2.0, 1e9))
    assert cut.level < whole.level / 2
    assert cut.variance < whole.variance / 10


def test_the_power_law_is_found() -> None:
    moments = [Moments(mean, 3.0 * mean**1.7) for mean in (0.1, 0.2, 0.5, 1, 2, 3, 5, 8, 13, 21, 34)]
    pool = learn_pool([1.0] * 7, [1] * 7, moments)
    assert pool.scale == pytest.approx(3.0)
    assert pool.power == pytest.approx(1.7)


@pytest.mark.parametrize("at", [0.01, 0.5, 1.0, 3.0, 12.0, 40.0])
def test_the_gamma_share_is_exact_where_it_has_a_closed_form(at: float) -> None:
    assert gamma_share(1.0, at) == pytest.approx(1 - math.exp(-at), abs=1e-12)
    assert gamma_share(0.5, at) == pytest.approx(math.erf(math.sqrt(at)), abs=1e-12)
    assert gamma_share(3.0, at) == pytest.approx(1 - math.exp(-at) * (1 + at + at * at / 2), abs=1e-12)


@pytest.mark.parametrize("target", [0.85, 0.9, 0.95, 0.98])
@pytest.mark.parametrize(("mean", "variance", "lot"), [(4.0, 8.0, 6), (20.0, 200.0, 10), (3.0, 40.0, 5)])
def test_a_reorder_point_serves_what_it_promises(target: float, mean: float, variance: float, lot: int) -> None:
    sales = Sales(mean, variance)
    point = find_reorder_point(target, lot, sales)
    draw = random.Random(7)
    shape, scale = mean**2 / variance, variance / mean
    drawn = [(draw.gammavariate(shape, scale), point + lot * draw.random()) for _ in range(40_000)]
    served = sum(1 for sold, position in drawn if sold <= position) / len(drawn)
    if point > 0:
        assert share_served(point, lot, sales) == pytest.approx(target, abs=0.005)
    assert served == pytest.approx(share_served(point, lot, sales), abs=0.006)
    missing = sum(max(0.0, sold - 5.0) for sold, _ in drawn) / len(drawn)
    assert expect_shortage(5.0, sales) == pytest.approx(missing, rel=0.1)


@given(st.floats(0.01, 1e5), st.floats(1e-9, 1e9), st.integers(1, 10_000), st.floats(0.5, 0.9998))
def test_a_higher_promise_never_lowers_the_reorder_point(mean: float, variance: float, lot: int, target: float) -> None:
    sales = Sales(mean, variance)
    low, high = (find_reorder_point(share, lot, sales) for share in (target, target + 0.0001))
    assert 0 <= low <= high + 0.2
    assert math.isfinite(high)


def test_a_lot_serves_too_so_the_reorder_point_may_be_lower() -> None:
    points = [find_reorder_point(0.9, lot, Sales(10, 60)) for lot in (1, 10, 40)]
    assert points == sorted(points, reverse=True)
    assert points[-1] < 10 < points[0]


def test_a_short_history_says_less_of_the_level() -> None:
    weights = [0.95**n for n in range(30)]
    assert count_effective_days(30) == pytest.approx(sum(weights) ** 2 / sum(w * w for w in weights))
    assert [round(count_effective_days(days), 1) for days in (0, 1, 10_000)] == [1.0, 1.0, 39.0]
    short, long = (forecast_demand([3.0, 1, 2, 0, 4, 2] * times, MONDAY, Pool()) for times in (1, 12))
    plans = [plan_stock(COMPUTED, forecast, Pool(), MONDAY, 5) for forecast in (short, long)]
    assert plans[0].safety_stock > plans[1].safety_stock
    inputs = plans[0].inputs
    varies = inputs["variance"] * (inputs["protectedDays"] + inputs["protectedDays"] ** 2 / inputs["effectiveDays"])
    assert inputs["unitsVariance"] == pytest.approx(varies, rel=0.01)
    sales = Sales(inputs["unitsProtected"], inputs["unitsVariance"])
    assert share_served(plans[0].reorder_point, inputs["lot"], sales) >= 0.95
    assert share_served(plans[0].reorder_point - 2, inputs["lot"], sales) < 0.95


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(0, 30))
def test_a_plan_is_never_upside_down(history: list[int], lead_days: int) -> None:
    forecast = forecast_demand([float(units) for units in history], MONDAY, Pool())
    plan = plan_stock(COMPUTED, forecast, Pool(), MONDAY, lead_days)
    assert 0 <= plan.safety_stock <= plan.reorder_point <= plan.order_up_to
    assert math.isfinite(forecast.variance)
    assert (plan.order_up_to == 0) == (not any(history))


@given(st.integers(-50, 500), st.integers(1, 24), st.integers(1, 60))
def test_orders_are_whole_packs_and_reach_the_target(position: int, pack: int, minimum: int) -> None:
    units = order_quantity(StockPlan(40, 90, 5, "", {}), position, pack, minimum)
    assert (units == 0) == (position > 40)
    assert units % pack == 0
    assert units == 0 or (units >= minimum and position + units >= 90)


@pytest.fixture(scope="module")
def sales() -> Path:
    folder = Path(__file__).parents[2] / ".." / "shared" / "data" / "online-retail"
    if not folder.is_dir():
        pytest.skip("../shared/data/online-retail is not here")
    return folder


@pytest.mark.parametrize(
    ("month", "promise"), [("2010-12", 0.95), ("2011-10", 0.90), ("2011-10", 0.95), ("2011-10", 0.98)]
)
def test_the_promise_is_kept_on_a_real_shop(sales: Path, month: str, promise: float) -> None:
    """The constants were chosen on 2010-12; 2011-10 is by the same method. A quarter of the SKUs, for time."""
    first, past = read_sales([sales / f"{month}.csv.gz"])
    some = {sku: days for number, (sku, days) in enumerate(sorted(past.items())) if number % 4 == 0}
    found = compare(some, first, lead_days=3, service_level=promise, cover_days=5)
    assert abs(found.computed.line_fill - promise) <= 0.02
    assert found.as_good is None or found.computed.stock < found.as_good.stock
