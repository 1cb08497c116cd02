"""What really stands on the shelves of a simulated warehouse, and how the books come to be wrong.

Two things go wrong, both where goods are handled most: a picker takes the article beside the right one (one too many
here, one too few there), and units disappear. Nobody is told of either.

What people can see, they report: a pick that finds too few; and, where few units are left, a picker who counts them.
Even then some look away, and some count wrong.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mishaps:
    """`mispicks`: of picks. `losses`: lines a day, as a share of all, that lose units. `steepness`: of popularity.

    `glance`: up to how many units left, by the books, a picker counts them; `attention`: how often that is done;
    `miscounts`: of these, off by one.
    """

    mispicks: float = 0.0085
    losses: float = 0.065
    steepness: float = 0.9
    glance: int = 8
    attention: float = 0.95
    miscounts: float = 0.01


@dataclass(slots=True)
class Shelves:
    """`units`: what is there, by SKU. `eyes`: what decides who counts wrong. `order`: SKUs as they stand side by side, the popular ones together."""

    order: list[str]
    draw: random.Random
    mishaps: Mishaps
    units: dict[str, int] = field(default_factory=dict)
    eyes: random.Random = field(default_factory=lambda: random.Random(0))

    def weights(self) -> list[float]:
        """How often each SKU is asked for, relative to the others."""
        return [1 / (rank + 3) ** self.mishaps.steepness for rank in range(len(self.order))]

    def receive(self, sku: str, units: int) -> None:
        self.units[sku] = self.units.get(sku, 0) + units

    def pick(self, sku: str, wanted: int) -> int:
        """Take `wanted` units, or what is there; returns how many the picker found. One may be of the neighbour."""
        found = min(wanted, self.units[sku])
        for _ in range(found):
            beside = self._beside(sku)
            wrong = self.draw.random() < self.mishaps.mispicks and self.units[beside] > 0
            self.units[beside if wrong else sku] -= 1
        return found

    def look(self, sku: str, expected: int) -> int | None:
        """What the picker counts when `expected` units should be left; None when nobody looks."""
        if expected > self.mishaps.glance or self.draw.random() > self.mishaps.attention:
            return None
        return self.count(sku)

    def count(self, sku: str) -> int:
        """What somebody counts there. Drawn apart, so that miscounts change nothing of what happens."""
        off = self.eyes.choice((-1, 1)) if self.eyes.random() < self.mishaps.miscounts else 0
        return max(0, self.units[sku] + off)

    def lose(self) -> None:
        """A day's losses."""
        times = round(len(self.order) * self.mishaps.losses)
        for sku in self.draw.choices(self.order, self.weights(), k=times):
            self.units[sku] -= min(self.units[sku], self.draw.choice((1, 1, 1, 2)))

    def _beside(self, sku: str) -> str:
        at = self.order.index(sku)
        return self.order[at - 1 if at else 1]
