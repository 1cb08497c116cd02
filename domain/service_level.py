"""How much of what is asked for a stock serves, when it is ordered again at a point and in lots.

Sales until an order is there are taken to be gamma distributed, since they are never negative and have a long tail. The
position after ordering is as often at any height from the reorder point to a lot above it (G. Hadley, T. M. Whitin,
"Analysis of Inventory Systems", Prentice-Hall 1963, chapter 4), so not the chance at the reorder point alone counts but
its mean over the lot. That is a difference of expected shortages, as in the fill rate of E. A. Silver, D. F. Pyke,
D. J. Thomas, "Inventory and Production Management in Supply Chains", 4th edition, CRC Press 2017, chapter 6:

    served(point) = 1 - (shortage(point) - shortage(point + lot)) / lot
    shortage(x)   = mean of what sales exceed x by

The gamma's distribution function is computed as in W. H. Press et al., "Numerical Recipes", 3rd edition, Cambridge
University Press 2007, section 6.2: a series below its mean, Lentz's continued fraction above.
"""

from __future__ import annotations

import math
from typing import NamedTuple

SHAPE_MAX = 10_000.0
"""Nothing is known better than with a coefficient of variation of 1 %."""
TERMS_MAX = 2_000
PRECISION = 1e-12
TINY = 1e-300
HALVINGS_MAX = 64


class Sales(NamedTuple):
    """Units sold until an order is there: their mean and variance."""

    mean: float
    variance: float

    @property
    def shape(self) -> float:
        return min(SHAPE_MAX, self.mean * self.mean / self.variance)


def find_reorder_point(target: float, lot: float, sales: Sales) -> float:
    """The least point from 0 on that serves the share `target`, to a tenth of a unit; the mean when nothing varies."""
    if sales.mean <= 0 or sales.variance <= 0:
        return max(0.0, sales.mean)
    low, high = 0.0, max(1.0, sales.mean)
    if share_served(low, lot, sales) >= target:
        return low
    for _ in range(HALVINGS_MAX):
        if share_served(high, lot, sales) >= target:
            break
        low, high = high, 2 * high
    for _ in range(HALVINGS_MAX):
        if high - low <= 0.1:
            break
        middle = (low + high) / 2
        low, high = (middle, high) if share_served(middle, lot, sales) < target else (low, middle)
    return high


def share_served(point: float, lot: float, sales: Sales) -> float:
    """How often what is asked for is there, when so much is ordered at `point`."""
    return 1 - (expect_shortage(point, sales) - expect_shortage(point + lot, sales)) / lot


def expect_shortage(stock: float, sales: Sales) -> float:
    """Units by which sales exceed the stock, on average."""
    if stock <= 0:
        return sales.mean - stock
    shape = sales.shape
    scaled = stock * shape / sales.mean
    return sales.mean * (1 - gamma_share(shape + 1, scaled)) - stock * (1 - gamma_share(shape, scaled))


def gamma_share(shape: float, at: float) -> float:
    """The chance that a gamma distributed number of that shape and scale 1 stays below."""
    if at <= 0:
        return 0.0
    weight = math.exp(shape * math.log(at) - at - math.lgamma(shape))
    return weight * _series(shape, at) if at < shape + 1 else 1 - weight * _fraction(shape, at)


def _series(shape: float, at: float) -> float:
    total = term = 1 / shape
    for number in range(1, TERMS_MAX):
        term *= at / (shape + number)
        total += term
        if term < total * PRECISION:
            break
    return total


def _fraction(shape: float, at: float) -> float:
    below = at + 1 - shape
    upper, lower = 1 / TINY, 1 / below
    value = lower
    for number in range(1, TERMS_MAX):
        factor = number * (shape - number)
        below += 2
        lower = 1 / (factor * lower + below or TINY)
        upper = below + factor / upper or TINY
        value *= lower * upper
        if abs(lower * upper - 1) < PRECISION:
            break
    return value
