"""The cheapest set of warehouses for some lines: facility location, solved exactly while it is small.

Opening a warehouse costs its parcel; a unit from it costs its price. A demand that some warehouse holds whole comes
from one of those, unless demands may be split wherever that is cheaper; the others are filled from the cheapest open
units. Costs are whole numbers, made such that of equally cheap plans the one with fewer parcels wins, then the one
whose warehouses come earlier (smaller sum of places); what is still equal is settled by the order of the search, which
is always the same.

Branch and bound: a node has warehouses that are in and others that are out. While a demand is not covered, one of its
warehouses must come in; then one that saves more than its parcel may (savings shrink as more come in, so that none
alone means none together). The bound lets every demand pay its share of a parcel. The search stops after a number of
cells looked at, never after a time, so that a replay stops at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.routing.improve import improve_set, start_set
from domain.routing.instance import Cell, Instance

CELLS_MAX = 250_000
"""Of the search: about 25 ms on a slow machine."""


class Facility(NamedTuple):
    """A warehouse: what its parcel costs, and whether it would be a parcel more."""

    fixed: int
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """`units` of a demand at `site` (its place among the facilities), each for `price`."""

    site: int
    units: int
    price: int


@dataclass(frozen=True, slots=True)
class Solution:
    """`given`: for each demand, units by facility. `gap`: (cost - bound) / cost, 0 when exact. `cells`: searched."""

    given: tuple[dict[int, int], ...]
    exact: bool
    gap: float
    cells: int


def solve(
    facilities: Sequence[Facility],
    demands: Sequence[tuple[int, Sequence[Source]]],
    cells_max: int = CELLS_MAX,
    *,
    splits: bool = False,
) -> Solution:
    """Fill each demand (units, sources) as far as its sources reach, for the least cost.

    `splits`: whether a demand that a warehouse holds whole may come from several as well.
    """
    instance = _scale(facilities, demands, splits)
    start = start_set(instance)
    best = improve_set(instance, start)
    search = _Search(instance, best, instance.cost(best), cells_max)
    bound = search.run()
    gap = 0.0 if bound >= search.cost or not search.cost else (search.cost - bound) / search.cost
    given = tuple(_merge(instance.fill(search.best, demand)) for demand in instance.demands)
    return Solution(given, gap == 0.0, gap, search.cells)


def _scale(facilities: Sequence[Facility], demands: Sequence[tuple[int, Sequence[Source]]], splits: bool) -> Instance:
    """Costs with the tie-breakers below their last place: a parcel outweighs all places together."""
    count = len(facilities)
    parcel = count * count + 1
    scale = (parcel + count) * count + 1
    fixed = [found.fixed * scale + (parcel if found.is_new else 0) + place for place, found in enumerate(facilities)]
    scaled = []
    for wanted, sources in demands:
        whole = [] if splits else [source for source in sources if source.units >= wanted]
        usable = whole or sources
        amount = min(wanted, sum(source.units for source in usable))
        cells = sorted(Cell(source.price * scale, source.site, min(source.units, amount)) for source in usable)
        scaled.append((amount, tuple(cells)))
    return Instance(tuple(fixed), tuple(scaled))


def _merge(cells: list[tuple[int, int]]) -> dict[int, int]:
    return dict(sorted(cells))


@dataclass(slots=True)
class _Search:
    instance: Instance
    best: int
    cost: int
    cells_max: int
    cells: int = 0

    def run(self) -> int:
        """Search until proven or out of cells; the lower bound that then holds."""
        instance = self.instance
        stack = [(instance.bound(0, 0), 0, 0)]
        while stack:
            if self.cells >= self.cells_max:
                return min(self.cost, *(bound for bound, _, _ in stack))
            bound, inside, outside = stack.pop()
            if bound < self.cost:
                children = self._branch(inside, outside)
                stack.extend(reversed(children))
        return self.cost

    def _branch(self, inside: int, outside: int) -> list[tuple[int, int, int]]:
        """Children that may still be cheaper than the best, the most promising first."""
        instance = self.instance
        choices = instance.missing(inside, outside)
        if choices is None:
            cost = instance.cost(inside)
            if cost < self.cost:
                self.best, self.cost = inside, cost
            choices = instance.savers(inside, outside)
            self.cells += instance.size * (1 + len(choices))
        ranked = []
        for site in choices:
            ranked.append((instance.bound(inside | 1 << site, outside), site))
            self.cells += instance.size
        children, out = [], outside
        for bound, site in sorted(ranked):
            if bound < self.cost:
                children.append((bound, inside | 1 << site, out))
            out |= 1 << site
        return children
