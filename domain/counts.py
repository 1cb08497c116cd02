"""What a count can be, what may be done to it in each state, and what a scan comes to.

    PLANNED -> COUNTING -> REVIEW -> POSTED
        \\__________\\________\\-> CANCELLED

A line is OPEN until it is scanned. A scan that differs by more than the tolerance makes it RECOUNT; two scans that
find the same difference, or the last one allowed, make it COUNTED. A review posts it or rejects it. A count whose
lines are all right has nothing to review and is POSTED at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal, RefusalCode

ROUNDS_MAX = 3
"""Scans of one line at the most; after the last the reviewer decides on what was found."""
BUCKETS = ("available", "damaged", "quality_control")
"""What is counted apart: sound goods, whoever they are promised to, damaged ones, and those held for quality."""


class CountStatus(StrEnum):
    """`PLANNED`: nothing is scanned yet. `REVIEW`: all is scanned, and something differs."""

    PLANNED = "PLANNED"
    COUNTING = "COUNTING"
    REVIEW = "REVIEW"
    POSTED = "POSTED"
    CANCELLED = "CANCELLED"


class CountLineStatus(StrEnum):
    OPEN = "OPEN"
    RECOUNT = "RECOUNT"
    COUNTED = "COUNTED"
    POSTED = "POSTED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class CountAction(StrEnum):
    SUBMIT = "SUBMIT"
    REVIEW = "REVIEW"
    CANCEL = "CANCEL"


class CountCause(StrEnum):
    """Why a line is counted. Without MANUAL and CYCLE, something spoke against its number.

    `NEGATIVE`: somebody wanted to take out more than the books have. `SURPLUS`: a shelf that should be empty was not.
    `SHORTAGE`: a count could not be posted whole. `SNAPSHOT`: a stock list of the warehouse differs from the books.
    `MISPICK`: another unit than was sold came back. `HANDLING`: so much was done with it since it was last counted.
    """

    MANUAL = "MANUAL"
    CYCLE = "CYCLE"
    HANDLING = "HANDLING"
    NEGATIVE = "NEGATIVE"
    SHORT_PICK = "SHORT_PICK"
    SURPLUS = "SURPLUS"
    DRIFT = "DRIFT"
    SHORTAGE = "SHORTAGE"
    SNAPSHOT = "SNAPSHOT"
    MISPICK = "MISPICK"


ALLOWED: dict[CountAction, frozenset[CountStatus]] = {
    CountAction.SUBMIT: frozenset({CountStatus.PLANNED, CountStatus.COUNTING}),
    CountAction.REVIEW: frozenset({CountStatus.REVIEW}),
    CountAction.CANCEL: frozenset({CountStatus.PLANNED, CountStatus.COUNTING, CountStatus.REVIEW}),
}
OPEN_STATES = ALLOWED[CountAction.CANCEL]
SCANNABLE = frozenset({CountLineStatus.OPEN, CountLineStatus.RECOUNT})


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A difference up to `units`, or up to `percent` of what is expected, is not counted again."""

    units: int = 0
    percent: int = 0

    def allows(self, expected: int, variance: int) -> bool:
        return abs(variance) <= max(self.units, abs(expected) * self.percent // 100)


def check_count_action(status: CountStatus, action: CountAction) -> None:
    """Raises `Refusal` WRONG_STATE."""
    if status not in ALLOWED[action]:
        states = ", ".join(sorted(ALLOWED[action]))
        raise Refusal(RefusalCode.WRONG_STATE, f"The count is {status}: {action} needs {states}.", ("id",))


def judge_scans(variances: Sequence[int], expected: int, tolerance: Tolerance) -> CountLineStatus:
    """What a line has come to. `variances`: of its scans, the newest last; `expected`: of the newest.

    Differences are compared and not quantities: the goods may have moved between two scans.
    """
    newest = variances[-1]
    if tolerance.allows(expected, newest) or len(variances) >= ROUNDS_MAX:
        return CountLineStatus.COUNTED
    return CountLineStatus.COUNTED if newest in variances[:-1] else CountLineStatus.RECOUNT


def count_status(lines: Iterable[tuple[CountLineStatus, int]]) -> CountStatus:
    """What the count has come to, from each line's state and variance."""
    found = list(lines)
    if all(status is CountLineStatus.OPEN for status, _ in found):
        return CountStatus.PLANNED
    if any(status in SCANNABLE for status, _ in found):
        return CountStatus.COUNTING
    return CountStatus.REVIEW if any(variance for _, variance in found) else CountStatus.POSTED


def split_variance(variance: int, free: int) -> tuple[int, int]:
    """What of a variance can be posted, and the rest (zero or less).

    Of a loss only what nobody was promised can be taken out of the books: `free` units. The rest is somebody's order,
    and a person must say whose.
    """
    posted = max(variance, -free)
    return posted, variance - posted
