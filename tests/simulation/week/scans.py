"""What the simulator knows of every line that was counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.simulation.week.truth import Effect


@dataclass(slots=True)
class Scan:
    """`wrong`: units by which the books were wrong then, all that was done before reckoned with; `told_wrong`: without
    what Onhand had not been told when it was told of the scan. `turn`: the acts recorded before it come to be known.
    """

    house: str
    sku: str
    counted: int
    wrong: int
    told_wrong: int
    turn: int


@dataclass(slots=True)
class Counted:
    """What the simulator says of every line that was decided on."""

    scans: dict[tuple[str, str], Scan] = field(default_factory=dict)
    """The last of each line that Onhand has, by count and SKU."""
    made: list[Scan] = field(default_factory=list)
    """All of them, told or not."""
    told: set[str] = field(default_factory=set)
    """Counts that Onhand may have posted since they were looked at."""
    decided: set[str] = field(default_factory=set)
    lines: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By warehouse: units in the books (known late ones included), and units found."""
    problems: list[str] = field(default_factory=list)


def note_given_up(counted: Counted, effects: Iterable[Effect], turn: int) -> None:
    """A record that will never be known makes the books wrong from when it was made: also in scans since then."""
    for house, book, sku, units in effects:
        for scan in counted.made:
            if book == "sound" and (scan.house, scan.sku) == (house, sku) and scan.turn > turn:
                scan.wrong -= units
