"""A good set of warehouses without proof: greedy at first, then drops, swaps and additions while they help."""

from __future__ import annotations

from collections.abc import Iterator

from domain.routing.instance import Instance

ROUNDS_MAX = 50
CELLS_MAX = 400_000
"""Looked at by all rounds together: about 20 ms."""


def start_set(instance: Instance) -> int:
    """The cheapest single warehouse that fills everything; else one by one, by cost per share of demand filled."""
    alone = [(instance.cost(1 << site), site) for site in _common_sites(instance)]
    if alone:
        return 1 << min(alone)[1]
    inside = 0
    for _ in instance.fixed:
        best: tuple[float, int] | None = None
        for site in range(len(instance.fixed)):
            if inside >> site & 1:
                continue
            filled, price = _gain(instance, inside, site)
            if filled > 0:
                rate = (instance.fixed[site] + price) / filled
                best = min(best, (rate, site)) if best is not None else (rate, site)
        if best is None:
            break
        inside |= 1 << best[1]
    return inside


def _common_sites(instance: Instance) -> list[int]:
    """Warehouses that hold all of every demand."""
    common: set[int] | None = None
    for amount, cells in instance.demands:
        whole = {cell.site for cell in cells if cell.units >= amount}
        common = whole if common is None else common & whole
        if not common:
            return []
    return sorted(common or ())


def _gain(instance: Instance, inside: int, site: int) -> tuple[float, int]:
    """Shares of unfilled demands that `site` would fill, and what those units cost."""
    filled, price = 0.0, 0
    for amount, cells in instance.demands:
        left = amount - sum(cell.units for cell in cells if inside >> cell.site & 1)
        if left <= 0:
            continue
        for cell in cells:
            if cell.site == site:
                units = min(left, cell.units)
                filled += units / amount
                price += units * cell.price
    return filled, price


def improve_set(instance: Instance, inside: int) -> int:
    """Take the best of all drops, swaps and additions until none is cheaper, or `CELLS_MAX` cells were looked at."""
    cost, cells = instance.cost(inside), 0
    for _ in range(ROUNDS_MAX):
        best = (cost, inside)
        for other in _neighbours(instance, inside):
            cells += instance.size
            if cells > CELLS_MAX:
                return best[1]
            best = min(best, (instance.cost(other), other))
        if best[0] >= cost:
            break
        cost, inside = best
    return inside


def _neighbours(instance: Instance, inside: int) -> Iterator[int]:
    """Drops first, then additions, then swaps."""
    count = len(instance.fixed)
    members = [site for site in range(count) if inside >> site & 1]
    others = [site for site in range(count) if not inside >> site & 1]
    if len(members) > 1:
        yield from (inside & ~(1 << site) for site in members)
    yield from (inside | 1 << site for site in others)
    yield from (inside & ~(1 << out) | 1 << site for out in members for site in others)
