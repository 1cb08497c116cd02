"""A replenishment policy played over a past: what it would have served, and with how much stock.

Each day: what was ordered comes in, orders are filled as far as stock goes (what is missing is lost), and in the
evening the policy decides. It begins in the midst of things: each SKU has between its reorder point and what it is
ordered up to, evenly spread over the SKUs. Full shelves would flatter every policy for as long as one order lasts.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.forecast import Moments, Pool, forecast_demand, learn_pool
from domain.replenishment import Policy, PolicyKind, StockPlan, bulk_limit, order_quantity, plan_stock

Past = Mapping[str, Sequence[Sequence[int]]]
"""By SKU: for each day the units of every order line, refunds and cancellations left out."""
Decide = Callable[[str, int], StockPlan]
"""The plan for a SKU on the evening of a day, by what was known then."""
SALES_DAYS_MIN = 2
"""A SKU that sold on fewer days of the first part is not judged: nothing could be known of it."""
GOLDEN = (math.sqrt(5) - 1) / 2
MIN_LEAD_TIMES, LEAD_TIMES_MAX = 2, 12
"""Of plain min/max: the minimum in lead times, by rule of thumb, and the most that is tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`line_fill`: of order lines, filled at once and completely. `unit_fill`: of units. `stock`: units, on average."""

    line_fill: float
    unit_fill: float
    stock: float
    lines: int
    orders: int
    """Times that something was ordered."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of the same SKUs and days. `judged_share`: of all order lines, those of SKUs that are judged."""

    first: datetime.date
    days: int
    skus: int
    judged_share: float
    computed: Outcome
    min_max: Outcome
    as_good: Outcome | None
    """Plain min/max with the smallest minimum, in whole lead times, that fills as many lines; None: none does."""


def play(past: Past, skus: Sequence[str], start: int, end: int, lead_days: int, decide: Decide) -> Outcome:
    """From day `start` to before `end`."""
    on_hand = {sku: _begin(decide(sku, start - 1), number) for number, sku in enumerate(skus, start=1)}
    due: dict[int, Counter[str]] = defaultdict(Counter)
    on_order: Counter[str] = Counter()
    asked = served = lines = full = stock = orders = 0
    for day in range(start, end):
        for sku, units in due.pop(day, Counter()).items():
            on_hand[sku] += units
            on_order[sku] -= units
        for sku in skus:
            for units in past[sku][day]:
                given = min(units, on_hand[sku])
                on_hand[sku] -= given
                asked, served, lines, full = asked + units, served + given, lines + 1, full + (given == units)
            stock += on_hand[sku]
            wanted = order_quantity(decide(sku, day), on_hand[sku] + on_order[sku])
            if wanted:
                due[day + lead_days][sku] += wanted
                on_order[sku] += wanted
                orders += 1
    return Outcome(full / max(1, lines), served / max(1, asked), stock / max(1, end - start), lines, orders)


def _begin(plan: StockPlan, number: int) -> int:
    """Multiples of the golden ratio spread evenly, however many there are."""
    lot = plan.order_up_to - plan.reorder_point
    return plan.reorder_point + math.ceil(lot * (number * GOLDEN % 1))


def learn_past(past: Mapping[str, Sequence[int]], first: datetime.date, days: int) -> Pool:
    """The pool of the first `days` days."""
    sold, count = [0.0] * 7, [0] * 7
    for day in range(days):
        weekday = (first.weekday() + day) % 7
        count[weekday] += 1
        sold[weekday] += sum(units[day] for units in past.values())
    return learn_pool(sold, count, [_moments(units[:days]) for units in past.values()])


def _moments(units: Sequence[int]) -> Moments:
    mean = sum(units) / max(1, len(units))
    return Moments(mean, sum((one - mean) ** 2 for one in units) / max(1, len(units)))


def compare(
    past: Past, first: datetime.date, *, lead_days: int, service_level: float, cover_days: int, split: float = 0.5
) -> Comparison:
    """The computed policy against plain min/max, on what came after the first part (`split`) of the days.

    Both know only what had happened by each evening. Plain min/max is set once, by rule of thumb: the minimum is twice
    what an average lead time sold, the maximum so many days' sales above it as the computed one covers.
    """
    days = len(next(iter(past.values())))
    start = int(days * split)
    sold = {sku: [sum(lines) for lines in units] for sku, units in past.items()}
    skus = sorted(sku for sku, units in sold.items() if sum(1 for u in units[:start] if u) >= SALES_DAYS_MIN)
    judged = {sku: sold[sku] for sku in skus}
    policy = Policy(PolicyKind.COMPUTED, service_level=service_level, cover_days=cover_days)
    computed = _decide_computed(judged, first, lead_days, policy)
    every = sum(len(lines) for units in past.values() for lines in units[start:])
    mine = play(past, skus, start, days, lead_days, computed)

    def play_plain(lead_times: int) -> Outcome:
        decide = _decide_min_max(judged, start, lead_days, cover_days, lead_times)
        return play(past, skus, start, days, lead_days, decide)

    plain = play_plain(MIN_LEAD_TIMES)
    larger = (play_plain(times) for times in range(MIN_LEAD_TIMES, LEAD_TIMES_MAX + 1))
    as_good = next((found for found in larger if found.line_fill >= mine.line_fill), None)
    begins = first + datetime.timedelta(days=start)
    return Comparison(begins, days - start, len(skus), mine.lines / max(1, every), mine, plain, as_good)


def _decide_computed(sold: Mapping[str, Sequence[int]], first: datetime.date, lead_days: int, policy: Policy) -> Decide:
    pools: dict[int, Pool] = {}
    bulk = bulk_limit(policy.service_level or 0)

    def decide(sku: str, day: int) -> StockPlan:
        if day not in pools:
            pools[day] = learn_past(sold, first, day + 1)
        forecast = forecast_demand(sold[sku][: day + 1], first, pools[day], bulk)
        return plan_stock(policy, forecast, pools[day], first + datetime.timedelta(days=day), lead_days)

    return decide


def _decide_min_max(
    sold: Mapping[str, Sequence[int]], start: int, lead_days: int, cover_days: int, lead_times: int
) -> Decide:
    plans = {}
    for sku, units in sold.items():
        level = sum(units[:start]) / start
        low = round(level * lead_days * lead_times)
        plans[sku] = StockPlan(low, low + max(1, round(level * cover_days)), 0, "", {})
    return lambda sku, _: plans[sku]
