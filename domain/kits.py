"""Kits: how many can be made, and what an order for some of them wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

MARK = "#"
"""Between the channel's id of a line, the kit it sells and the component: `17#SET#MUG` is the mugs of line 17."""


class Component(NamedTuple):
    """Units of a SKU in one kit."""

    sku: str
    quantity: int


class Part(NamedTuple):
    """What an order's line is of a kit: `group` names the kit of the order, `units` are in one kit, of `parts` SKUs."""

    group: str
    units: int
    parts: int


def count_kits(available: Mapping[str, int], components: Iterable[Component]) -> int:
    """How many kits the components that are there make."""
    return min((available.get(part.sku, 0) // part.quantity for part in components), default=0)


def count_spare(lines: Iterable[tuple[int, Part, int]]) -> dict[int, int]:
    """Of (line, part, units): units by line that make no whole kit. A kit that is not all there makes none."""
    groups: dict[str, list[tuple[int, Part, int]]] = defaultdict(list)
    for one in lines:
        groups[one[1].group].append(one)
    spare: dict[int, int] = {}
    for found in groups.values():
        all_there = len(found) == found[0][1].parts
        kits = min(count // part.units for _, part, count in found) if all_there else 0
        spare |= {line: count - kits * part.units for line, part, count in found}
    return spare


def break_kits(open_units: Mapping[int, int], taken: Mapping[int, int], parts: Mapping[int, Part]) -> dict[int, int]:
    """Units by line that would be left over of whole kits among `open_units`, were `taken` to go without them."""
    before = count_spare((line, part, open_units.get(line, 0)) for line, part in parts.items())
    after = count_spare((line, part, open_units.get(line, 0) - taken.get(line, 0)) for line, part in parts.items())
    return {line: units - before[line] for line, units in after.items() if units > before[line]}


def name_kit(external_id: str, kit: str) -> str:
    return MARK.join((external_id, kit))


def name_line(external_id: str, kit: str, component: str) -> str:
    return MARK.join((name_kit(external_id, kit), component))


def choose_whole(
    wanted: Mapping[int, tuple[int, int]], there: Mapping[int, int], parts: Mapping[int, Part]
) -> dict[int, int]:
    """Units by line that make whole kits of what is there. `wanted`: (SKU id, units) by line; `there` by SKU id.

    The group that is named first has what it wants first.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for line in sorted(wanted.keys() & parts.keys()):
        groups[parts[line].group].append(line)
    left, chosen = dict(there), dict[int, int]()
    for _, lines in sorted(groups.items()):
        kits = min(min(wanted[n][1], max(0, left.get(wanted[n][0], 0))) // parts[n].units for n in lines)
        if kits and len(lines) == parts[lines[0]].parts:
            for number in lines:
                chosen[number] = kits * parts[number].units
                left[wanted[number][0]] -= chosen[number]
    return chosen
