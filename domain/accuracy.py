"""How right the books were, as counts found them before they were put right.

By line: lines without any difference. By unit and by value: what the books and the shelves agree on, against what the
books said and what there was, whichever is more; a line with 8 in the books and 10 on the shelf is right by 80 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple


class CountedLine(NamedTuple):
    """Units that the books had at the moment of the scan, units found, and what one is worth."""

    expected: int
    counted: int
    unit_cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares from 0 to 1; None where nothing was counted, or nothing of value."""

    lines: int
    lines_right: int
    units: int
    units_wrong: int
    value: Decimal
    value_wrong: Decimal

    @property
    def by_line(self) -> float | None:
        return self.lines_right / self.lines if self.lines else None

    @property
    def by_unit(self) -> float | None:
        return 1 - self.units_wrong / self.units if self.units else None

    @property
    def by_value(self) -> float | None:
        return float(1 - self.value_wrong / self.value) if self.value else None


def measure_accuracy(lines: Iterable[CountedLine]) -> Accuracy:
    """Of all lines together."""
    count = right = units = wrong = 0
    value = value_wrong = Decimal(0)
    for line in lines:
        most, off = max(line.expected, line.counted), abs(line.expected - line.counted)
        count += 1
        right += off == 0
        units += most
        wrong += off
        value += most * line.unit_cost
        value_wrong += off * line.unit_cost
    return Accuracy(count, right, units, wrong, value, value_wrong)
