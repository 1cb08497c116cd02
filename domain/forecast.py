"""How much of a SKU will be sold: a level a day, its variance, and the shape of the week.

Level: the mean of past days without the week's shape, newer days weighing more. Demand that comes only now and then
(on average more than `INTERMITTENT_DAYS` from one day with sales to the next) is forecast by TSB instead: the chance
of a day with sales times the usual size of it, so that the level of what sells no more goes to zero.

    R. H. Teunter, A. A. Syntetos, M. Z. Babai, "Intermittent demand: Linking forecasting to inventory obsolescence",
    European Journal of Operational Research 214 (2011) 606-615.

A short history says little of its own variance, so it leans on what holds for all SKUs of a warehouse: variance grows
as a power of the level (L. R. Taylor, "Aggregation, variance and the mean", Nature 189 (1961) 732-735).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

WEIGHT = 0.05
"""Of the newest day; each day before weighs by this much less."""
INTERMITTENT_DAYS = 1.32
CHANCE_WEIGHT, SIZE_WEIGHT = 0.1, 0.1
PRIOR_DAYS = 10
"""Days of history that the warehouse's own variance is worth against a SKU's."""
PRIOR_SHARE = 4.0
"""Times the warehouse's variance at a level that the largest days were cut off from, and that knows few of them yet."""
SHAPE_PRIOR_DAYS = 1
WEEKDAY_MIN = 0.05
"""A weekday that sells less than this share of an average one is closed: it says nothing of the level."""
SCALE, POWER = 2.0, 1.5
"""Of the power law, until there is enough to fit it."""
LEVEL_MIN = 0.05
"""Below this level the power law is not trusted."""


class ForecastMethod(StrEnum):
    SMOOTHED = "SMOOTHED"
    TSB = "TSB"
    NONE = "NONE"


class Moments(NamedTuple):
    """Of one SKU's sales a day: their mean and variance."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Pool:
    """What holds for all SKUs of a warehouse. `weekdays`: Monday first, 1 is an average day.

    The variance of a day's units is scale x level ^ power.
    """

    weekdays: tuple[float, ...] = (1.0,) * 7
    scale: float = SCALE
    power: float = POWER

    def variance(self, level: float) -> float:
        """Of a day's units of a SKU with this level."""
        return self.scale * math.pow(max(level, LEVEL_MIN), self.power)

    def shape(self, first: datetime.date, days: int) -> float:
        """Average days that `days` calendar days from `first` on are worth."""
        return sum(self.weekdays[(first.weekday() + n) % 7] for n in range(days))


@dataclass(frozen=True, slots=True)
class Forecast:
    """`level`: units an average day. `variance`: of a day's units. `days`: of history that say so."""

    level: float
    variance: float
    days: int
    method: ForecastMethod
    interval: float
    """Days from one with sales to the next, on average."""


def learn_pool(sold: Sequence[float], days: Sequence[int], moments: Iterable[Moments]) -> Pool:
    """From what a warehouse sold in all on each weekday, how many of each there were, and each SKU's moments."""
    average = sum(sold) / sum(days) if sum(days) else 0.0
    if not average:
        return Pool()
    weekdays = tuple(
        (units / average + SHAPE_PRIOR_DAYS) / (count + SHAPE_PRIOR_DAYS) if count else 1.0
        for units, count in zip(sold, days, strict=True)
    )
    weekdays = tuple(
        0.0 if count > 1 and units / count < WEEKDAY_MIN * average else shape
        for shape, units, count in zip(weekdays, sold, days, strict=True)
    )
    points = [(math.log(m.mean), math.log(m.variance)) for m in moments if m.mean > LEVEL_MIN and m.variance > 0]
    return Pool(weekdays, *_fit_power(points))


def _fit_power(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Scale and power of the line through the logarithms; the defaults where there is too little to fit."""
    if len(points) < 10:
        return SCALE, POWER
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    if not spread:
        return SCALE, POWER
    power = sum((x - x_mean) * (y - y_mean) for x, y in points) / spread
    return math.exp(y_mean - power * x_mean), power


def forecast_demand(history: Sequence[float], first: datetime.date, pool: Pool, bulk: float = 2.0) -> Forecast:
    """From units sold on each day since `first`, days without sales included.

    `bulk`: a day counts for at most the level and so many standard deviations. One wholesaler's order would otherwise
    fill the shelf for a year, and still not be served from it.
    """
    flat = [
        units / shape
        for n, units in enumerate(history)
        if (shape := pool.weekdays[(first.weekday() + n) % 7]) > WEEKDAY_MIN
    ]
    sold = sum(1 for units in flat if units > 0)
    if not sold:
        return Forecast(0.0, 0.0, len(flat), ForecastMethod.NONE, math.inf)
    weights = [(1 - WEIGHT) ** n for n in range(len(flat) - 1, -1, -1)]
    usual = _mean(weights, flat)
    most = usual + bulk * math.sqrt(pool.variance(usual))
    flat = [min(units, most) for units in flat]
    mean, interval = _mean(weights, flat), len(flat) / sold
    own = _mean(weights, [(units - mean) ** 2 for units in flat])
    level = _tsb(flat, sold) if interval >= INTERMITTENT_DAYS else mean
    heard, prior = sum(weights), PRIOR_SHARE * pool.variance(level)
    variance = (heard * own + PRIOR_DAYS * prior) / (heard + PRIOR_DAYS)
    method = ForecastMethod.TSB if interval >= INTERMITTENT_DAYS else ForecastMethod.SMOOTHED
    return Forecast(level, variance, len(flat), method, interval)


def count_effective_days(days: int) -> float:
    """Days of equal weight that a mean of so many days, newer ones weighing more, is worth (L. Kish, "Survey Sampling",
    Wiley 1965, section 11.7): the square of the weights' sum by the sum of their squares.
    """
    keep = 1 - WEIGHT
    return (1 - keep ** max(1, days)) * (1 + keep) / ((1 + keep ** max(1, days)) * (1 - keep))


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)


def _tsb(flat: Sequence[float], sold: int) -> float:
    """Chance and size start at their means; the chance follows every day, the size those with sales."""
    chance, size = sold / len(flat), sum(flat) / sold
    for units in flat:
        if units > 0:
            size += SIZE_WEIGHT * (units - size)
        chance += CHANCE_WEIGHT * ((units > 0) - chance)
    return chance * size
