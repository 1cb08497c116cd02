"""Nothing may be oversold beyond the exposure that Onhand reported when it happened.

An order is oversold when the goods behind it go while it is on its way: after the channel last took a number for the
listing that it was sold from, and before Onhand had the order on record. Every unit that was missing then must have
been reported as exposed in that time, on that listing; and a unit that was reported once covers one that was oversold,
not two, however often the listing was sold from.

When the channel's number is known to be lower before the order is, nothing is exposed on that listing any more, and
another channel may take the goods that it was sold from. Such a unit must be in what was reported for all channels
together (`jointUnits`) when the marketplace took the order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.trace import NEVER, ShortLine, Trace


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


@dataclass(slots=True)
class Verdict:
    """Units oversold: reported on their listing, only for all channels together, or (in words) not at all."""

    alone: int = 0
    jointly: int = 0
    problems: list[str] = field(default_factory=list)


def judge_oversold(trace: Trace, sales: Mapping[tuple[int, str], Sale]) -> Verdict:
    """`sales`: by channel and the order's id there."""
    verdict = Verdict()
    by_sku = defaultdict[int, list[ShortLine]](list)
    for line in trace.short:
        by_sku[line.key[1]].append(line)
    for sku, lines in by_sku.items():
        _judge_sku(trace, sku, lines, sales, verdict)
    return verdict


def _judge_sku(
    trace: Trace, sku: int, lines: Sequence[ShortLine], sales: Mapping[tuple[int, str], Sale], verdict: Verdict
) -> None:
    units = {key: list_units(trace.exposures(key)) for key in {line.key for line in lines}}
    joint = list_units(trace.joint_exposures(sku))
    wanted = [line for line in lines for _ in range(line.missing)]
    alone, both = [], []
    for line in wanted:
        sale = sales[line.key[0], line.order]
        start = min(trace.told_before(line.key, sale.at), sale.since)
        alone.append([(line.key, n) for n in _find_alive(units[line.key], start, line.recorded_at)])
        both.append(alone[-1] + [(None, n) for n in _find_alive(joint, start, sale.at)])
    uncovered = _find_unmatched(both)
    covered_alone = len(wanted) - len(_find_unmatched(alone))
    verdict.alone += covered_alone
    verdict.jointly += len(wanted) - len(uncovered) - covered_alone
    for line in (wanted[n] for n in uncovered):
        sale = sales[line.key[0], line.order]
        verdict.problems.append(
            f"order {line.order} of {line.key}: a unit oversold that was never reported as exposed; sold at {sale.at},"
            f" on record at {line.recorded_at}, told at {trace.told_before(line.key, sale.at)}"
        )


def _find_alive(units: Sequence[ExposedUnit], start: float, end: float) -> list[int]:
    return [n for n, unit in enumerate(units) if unit.start <= end and unit.end > start]


def list_units(exposures: Iterable[tuple[float, int]]) -> list[ExposedUnit]:
    """The youngest unit goes first when exposure falls."""
    units: list[ExposedUnit] = []
    standing: list[ExposedUnit] = []
    for at, exposed in exposures:
        while len(standing) > exposed:
            standing.pop().end = at
        while len(standing) < exposed:
            standing.append(ExposedUnit(at))
            units.append(standing[-1])
    return units


def _find_unmatched(choices: Sequence[Sequence[Hashable]]) -> list[int]:
    """The largest matching of oversold units with reported ones (augmenting paths); which are left over."""
    holder: dict[Hashable, int] = {}

    def place(wanted: int, tried: set[Hashable]) -> bool:
        for unit in choices[wanted]:
            if unit not in tried:
                tried.add(unit)
                if unit not in holder or place(holder[unit], tried):
                    holder[unit] = wanted
                    return True
        return False

    return [wanted for wanted in range(len(choices)) if not place(wanted, set())]
