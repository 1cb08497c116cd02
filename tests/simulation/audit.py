"""Nothing may be oversold beyond the exposure that Onhand reported when it happened.

An order is oversold when the goods behind it go while it is on its way: after the channel last took a number for the
listing that it was sold from, and before Onhand had the order on record. Every unit that was missing then must have
been reported as exposed in that time, on that listing; and a unit that was reported once covers one that was oversold,
not two, however often the listing was sold from.

When the channel's number is known to be lower before the order is, nothing is exposed on that listing any more, and
another channel may take the goods that it was sold from. Such a unit must be in what was reported for all channels
together (`jointUnits`) when the marketplace took the order.

A buyer who cancels gives units back, and a marketplace may put them on sale by itself at that moment: its number is
above every one that Onhand has told it or could know of, until the word of the cancellation is here. Who buys such a
unit buys what the first one had bought. So a unit that was put back covers one that was oversold, and only

- of its own listing, sold between the moment it was put back and the next number that the marketplace was given;
- while Onhand still keeps the first buyer's unit for him: from then on it is for others, and what the marketplace may
  sell of it is exposure, which Onhand has to report like any other;
- once, and if the first order is on record as one to be shipped: whether his unit was there was judged with it, and
  the two buyers together have one unit more than that only if the first one cancels, which he has.

When the first order is not on record (it was cancelled before Onhand heard of it), nothing was kept, and the unit is
still the one that the first buyer bought: then what was reported from his purchase on may cover it, if it was reported.
An engine that says it told a marketplace a number and did not gains nothing by this: before anybody can cancel, somebody
must have bought, and that order is on record, or the exposure reported since then has to be enough for both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.market import PutBack
from tests.simulation.trace import NEVER, Key, OrderKey, ShortLine, Trace


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
    """Units oversold: reported on their listing, or only for all channels together.

    `resold`: not oversold, since they are those of an order that was cancelled; `problems`: none of the three.
    """

    alone: int = 0
    jointly: int = 0
    resold: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`put_back`: by channel and SKU."""

    trace: Trace
    sales: Mapping[OrderKey, Sale]
    put_back: Mapping[Key, Sequence[PutBack]]

    def start_of(self, key: Key, order: str) -> float:
        """From when on what was reported covers a sale: since the channel took the number that was sold from."""
        sale = self.sales[key[0], order]
        found = min(self.trace.told_before(key, sale.at), sale.since)
        unheard = [
            one.order
            for one in self.put_back.get(key, ())
            if one.at <= sale.at <= one.until and (key[0], one.order) not in self.trace.cancelled
        ]
        firsts = [self.sales[key[0], name] for name in unheard]
        return min([found, *(min(self.trace.told_before(key, one.at), one.since) for one in firsts)])

    def list_resold(self, key: Key, order: str) -> list[tuple[str, str, int, int]]:
        """Names of the units that were put back and that the order may have been sold from."""
        at = self.sales[key[0], order].at
        return [
            ("put back", one.order, one.gone, n)
            for one in self.put_back.get(key, ())
            if (key[0], one.order) in self.trace.cancelled
            and one.at <= at <= min(one.until, self.trace.cancelled_at((key[0], one.order), one.gone))
            for n in range(one.units)
        ]


def judge_oversold(
    trace: Trace, sales: Mapping[OrderKey, Sale], put_back: Mapping[Key, Sequence[PutBack]] | None = None
) -> Verdict:
    """`sales`: by channel and the order's id there, also of what was cancelled."""
    verdict, evidence = Verdict(), Evidence(trace, sales, put_back or {})
    by_sku = defaultdict[int, list[ShortLine]](list)
    for line in trace.short:
        by_sku[line.key[1]].append(line)
    for sku, lines in by_sku.items():
        _judge_sku(evidence, sku, lines, verdict)
    return verdict


def _judge_sku(evidence: Evidence, sku: int, lines: Sequence[ShortLine], verdict: Verdict) -> None:
    trace = evidence.trace
    units = {key: list_units(trace.exposures(key)) for key in {line.key for line in lines}}
    joint = list_units(trace.joint_exposures(sku))
    wanted = [line for line in lines for _ in range(line.missing)]
    alone, both, every = list[list[Hashable]](), list[list[Hashable]](), list[list[Hashable]]()
    for line in wanted:
        sale, start = evidence.sales[line.key[0], line.order], evidence.start_of(line.key, line.order)
        alone.append([(line.key, n) for n in _find_alive(units[line.key], start, line.recorded_at)])
        both.append(alone[-1] + [(None, n) for n in _find_alive(joint, start, sale.at)])
        every.append(both[-1] + evidence.list_resold(line.key, line.order))
    uncovered = _find_unmatched(every)
    covered = [len(wanted) - len(_find_unmatched(choices)) for choices in (alone, both)]
    verdict.alone += covered[0]
    verdict.jointly += covered[1] - covered[0]
    verdict.resold += len(wanted) - len(uncovered) - covered[1]
    for line in (wanted[n] for n in uncovered):
        sale = evidence.sales[line.key[0], line.order]
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
