"""Which lines of an order units that came back are of: a SKU may be on several, and each unit is paid back once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class LinePart(NamedTuple):
    """What a unit of a line is made of: itself, or so many units of a component of a kit. `shipped`: of the SKU."""

    sku_id: int
    units: int
    shipped: int


def name_lines(
    lines: Mapping[str, Sequence[LinePart]],
    units: Mapping[int, int],
    announced: Mapping[str, int],
    taken: Mapping[str, int],
) -> dict[str, int]:
    """Units by line, of a kit only what is whole; lines in their order, those that were announced before all others.

    Args:
        lines: By the channel's id.
        units: That came back, by SKU id.
        announced: Units by line as the channel named them.
        taken: Units by line that other returns are of.
    """
    left, named = Counter(units), Counter[str]()
    for first in (True, False):
        for name, parts in lines.items():
            gone = taken.get(name, 0) + named[name]
            whole = min(min(left[part.sku_id], part.shipped - gone * part.units) // part.units for part in parts)
            take = max(0, min(whole, announced.get(name, 0)) if first else whole)
            named[name] += take
            for part in parts:
                left[part.sku_id] -= take * part.units
    return {name: count for name, count in named.items() if count}
