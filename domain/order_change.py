"""What has to happen to an order's lines so that they are what a channel wants of them now.

A channel names the units it wants of each line in all, shipped ones among them. What it wants no more is taken from
what is backordered first, then from what is promised; what was shipped stays shipped. Units that were cancelled here
are no wish of its: it goes on naming them until it hears of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.orders import LineCounts


class KnownLine(NamedTuple):
    """A line on record. `requested`: promised units of it that a warehouse is asked to cancel.

    `untold`: units that were cancelled here, and that the channel still names.
    """

    line: int
    external_id: str
    counts: LineCounts
    requested: int = 0
    untold: int = 0

    @property
    def kept(self) -> int:
        """Units that are to be shipped in the end, or were."""
        return self.counts.quantity - self.counts.cancelled - self.requested


@dataclass(slots=True)
class LineChanges:
    """Units by line. `drop`: wanted no more. `recall`: asked to be cancelled, and wanted after all.

    `late`: wanted no more, but shipped. `new`: external ids of lines that are not on record. `untold`: the new count
    of units cancelled here that the channel still names.
    """

    add: dict[int, int] = field(default_factory=dict)
    drop: dict[int, int] = field(default_factory=dict)
    recall: dict[int, int] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    untold: dict[int, int] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing changes; units that come too late change nothing."""
        return not (self.add or self.drop or self.recall or self.new or self.untold)


def compare_lines(
    known: Iterable[KnownLine], wanted: Mapping[str, int], unshipped: Mapping[str, int] | None = None
) -> LineChanges:
    """`wanted`: units by external id; a line that is not there is wanted no more.

    `unshipped`: those of them that the channel wants shipped yet, where it says so.
    """
    changes, seen = LineChanges(), set()
    for line in known:
        seen.add(line.external_id)
        named = _count_named(line, wanted.get(line.external_id, 0), (unshipped or {}).get(line.external_id))
        untold = max(0, min(line.untold, named - line.kept))
        if untold != line.untold:
            changes.untold[line.line] = untold
        surplus = line.kept - named + untold
        if surplus > 0:
            drop = min(surplus, line.kept - line.counts.shipped)
            _put(changes.drop, line.line, drop)
            _put(changes.late, line.line, surplus - drop)
        elif surplus < 0:
            recall = min(line.requested, -surplus)
            _put(changes.recall, line.line, recall)
            _put(changes.add, line.line, -surplus - recall)
    changes.new = [name for name, units in wanted.items() if name not in seen and units > 0]
    return changes


def _count_named(line: KnownLine, wanted: int, left: int | None) -> int:
    """Units that came back are named no more, and take none of those that are still to be shipped.

    Parcels that the channel does not know yet count twice here, which can only keep what is there.
    """
    if left is None or not line.counts.shipped:
        return wanted
    return max(wanted, min(line.kept + line.untold, line.counts.shipped + left))


def _put(into: dict[int, int], line: int, units: int) -> None:
    if units:
        into[line] = units
