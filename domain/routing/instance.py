"""A facility-location instance in whole numbers. Sets of warehouses are the bits of an integer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

UNREACHABLE = 1 << 200
"""More than any cost."""


class Cell(NamedTuple):
    """Units that a demand can get at a warehouse, in order of price, then of the warehouse's place."""

    price: int
    site: int
    units: int


Demand = tuple[int, tuple[Cell, ...]]


@dataclass(slots=True)
class Instance:
    """`fixed`: what opening each warehouse costs. `demands`: units to fill, and cells that reach for them all."""

    fixed: tuple[int, ...]
    demands: tuple[Demand, ...]
    size: int = 0
    shares: list[list[tuple[int, int, int, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """A parcel is shared by the demands that it may serve, and within one by the units it may give."""
        self.size = sum(len(cells) for _, cells in self.demands)
        served = [0] * len(self.fixed)
        for _, cells in self.demands:
            for cell in cells:
                served[cell.site] += 1
        for _, cells in self.demands:
            self.shares.append(
                [
                    (
                        cell.price,
                        cell.price + self.fixed[cell.site] // served[cell.site] // cell.units,
                        1 << cell.site,
                        cell.units,
                    )
                    for cell in cells
                ]
            )

    def fill(self, inside: int, demand: Demand) -> list[tuple[int, int]]:
        """Units by warehouse: from the cheapest open cells."""
        left, cells = demand
        given = []
        for cell in cells:
            if left and inside >> cell.site & 1:
                taken = min(left, cell.units)
                given.append((cell.site, taken))
                left -= taken
        return given

    def demand_cost(self, inside: int, demand: Demand) -> int:
        left, cells = demand
        cost = 0
        for price, site, units in cells:
            if inside >> site & 1:
                if units >= left:
                    return cost + price * left
                cost += price * units
                left -= units
        return UNREACHABLE

    def cost(self, inside: int) -> int:
        """Of the set `inside`; `UNREACHABLE` and more when it leaves a demand unfilled."""
        opened = sum(fixed for site, fixed in enumerate(self.fixed) if inside >> site & 1)
        return opened + sum(self.demand_cost(inside, demand) for demand in self.demands)

    def bound(self, inside: int, outside: int) -> int:
        """No set with all of `inside` and none of `outside` costs less."""
        total = sum(fixed for site, fixed in enumerate(self.fixed) if inside >> site & 1) if inside else 0
        for (amount, _), shares in zip(self.demands, self.shares, strict=True):
            prices = sorted(
                (price if bit & inside else shared, units) for price, shared, bit, units in shares if not bit & outside
            )
            left = amount
            for price, units in prices:
                if units >= left:
                    total += price * left
                    left = 0
                    break
                total += price * units
                left -= units
            if left:
                return UNREACHABLE
        return total

    def missing(self, inside: int, outside: int) -> list[int] | None:
        """The warehouses that can give more to the unfilled demand which has the fewest; None when all are filled."""
        fewest: list[int] | None = None
        for amount, cells in self.demands:
            left = amount - sum(cell.units for cell in cells if inside >> cell.site & 1)
            if left <= 0:
                continue
            free = [cell.site for cell in cells if not (inside | outside) >> cell.site & 1]
            if fewest is None or len(free) < len(fewest):
                fewest = free
        return fewest

    def savers(self, inside: int, outside: int) -> list[int]:
        """Warehouses that save more than their parcel costs, when all demands are filled already."""
        now = [self.demand_cost(inside, demand) for demand in self.demands]
        found = []
        for site, fixed in enumerate(self.fixed):
            if (inside | outside) >> site & 1:
                continue
            saved = sum(
                before - self.demand_cost(inside | 1 << site, demand)
                for before, demand in zip(now, self.demands, strict=True)
            )
            if saved > fixed:
                found.append(site)
        return found
