"""Nothing may be oversold beyond the exposure that Onhand reported when it happened.

An order is oversold when the goods behind it go while it is on its way: after the channel last took a number for the
listing that it was sold from, and before Onhand had the order on record. Every unit that was missing then must have
been reported as exposed in that time, on that listing; and a unit that was reported once covers one that was oversold,
not two, however often the listing was sold from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.simulation.trace import NEVER, Key, ShortLine, Trace


@dataclass(slots=True)
class ExposedUnit:
    """From when to when Onhand said that one more unit might be sold than was there."""

    start: float
    end: float = NEVER


@dataclass(frozen=True, slots=True)
class Sale:
    """A marketplace's order, of its own clock. `since`: what it sold from was taken at or after this, if not by us."""

    at: float
    since: float = NEVER


def find_uncovered(trace: Trace, sales: Mapping[tuple[int, str], Sale]) -> list[str]:
    """What was oversold and not reported. `sales`: by channel and the order's id there."""
    problems = []
    by_key = defaultdict[Key, list[ShortLine]](list)
    for line in trace.short:
        by_key[line.key].append(line)
    for key, lines in by_key.items():
        units = list_units(trace, key)
        wanted = []
        for line in lines:
            sale = sales[key[0], line.order]
            start = min(trace.told_before(key, sale.at), sale.since)
            wanted += [(line, start)] * line.missing
        choices = [
            [n for n, unit in enumerate(units) if unit.start <= line.recorded_at and unit.end > start]
            for line, start in wanted
        ]
        problems += [
            f"order {wanted[n][0].order} of {key}: a unit oversold that was never reported as exposed"
            for n in _find_unmatched(choices)
        ]
    return problems


def list_units(trace: Trace, key: Key) -> list[ExposedUnit]:
    """The youngest unit goes first when exposure falls."""
    units: list[ExposedUnit] = []
    standing: list[ExposedUnit] = []
    for at, exposed in trace.exposures(key):
        while len(standing) > exposed:
            standing.pop().end = at
        while len(standing) < exposed:
            standing.append(ExposedUnit(at))
            units.append(standing[-1])
    return units


def _find_unmatched(choices: Sequence[Sequence[int]]) -> list[int]:
    """The largest matching of oversold units with reported ones (augmenting paths); which are left over."""
    holder: dict[int, int] = {}

    def place(wanted: int, tried: set[int]) -> bool:
        for unit in choices[wanted]:
            if unit not in tried:
                tried.add(unit)
                if unit not in holder or place(holder[unit], tried):
                    holder[unit] = wanted
                    return True
        return False

    return [wanted for wanted in range(len(choices)) if not place(wanted, set())]
