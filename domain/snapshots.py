"""What another company says it holds, against our books: where work is on its way, both may be right.

A snapshot is of a moment. What we know to have happened after it may be in it already or not; so may parcels that left
and were not reported to us yet, and goods that arrived and were not posted. All these together give the range of
numbers that prove nothing wrong; what lies outside of it does.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

LISTS_LEARNED = 10
"""Of a warehouse's last stock lists it is learned how often they come: nightly ones make more than a week."""
LISTS_MIN = 3
"""With fewer nothing is known of a rhythm."""
LIST_GRACE = datetime.timedelta(hours=1)


class Outcome(StrEnum):
    """`NOTED`: a difference, of a warehouse that is only compared."""

    EQUAL = "EQUAL"
    ADJUSTED = "ADJUSTED"
    CASE = "CASE"
    NOTED = "NOTED"


class Books(NamedTuple):
    """Units of one SKU. `on_hand`: as the books have it now.

    `in_after`, `out_after`: what came and went after the snapshot's moment, as far as we know. `unreported`: given to
    the warehouse to be shipped, not told as shipped. `unposted`: on its way to it, not told as received.
    """

    on_hand: int
    in_after: int = 0
    out_after: int = 0
    unreported: int = 0
    unposted: int = 0


class Tolerance(NamedTuple):
    """The larger of both holds. `percent` of what should be there."""

    units: int = 0
    percent: int = 0


class Verdict(NamedTuple):
    """`least` to `most`: what proves nothing wrong. `difference`: how far outside of it, units; 0 when inside."""

    least: int
    most: int
    difference: int
    tolerable: bool


def judge_level(told: int, books: Books, tolerance: Tolerance) -> Verdict:
    """Whether a number that was told can be true together with our books."""
    then = books.on_hand - books.in_after + books.out_after
    least = max(0, then - books.out_after - books.unreported)
    most = then + books.in_after + books.unposted
    difference = told - most if told > most else told - least if told < least else 0
    allowed = max(tolerance.units, then * tolerance.percent // 100)
    return Verdict(least, most, difference, abs(difference) <= allowed)


def list_due(times: Sequence[datetime.datetime]) -> datetime.datetime | None:
    """When the next stock list should have come, by the last ones (newest first); None: there is no telling.

    After one and a half times the longest pause between them, and `LIST_GRACE`.
    """
    if len(times) < LISTS_MIN:
        return None
    longest = max(newer - older for newer, older in itertools.pairwise(times))
    return times[0] + longest * 1.5 + LIST_GRACE
