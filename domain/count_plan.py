"""Which lines are worth counting today: first those that something speaks against, then those whose turn it is.

A line is a SKU in a warehouse. ABC classes follow value x velocity: A makes up the first 80 % of what moves, B the
next 15 %, C the rest. The chance that a line is wrong comes from what was noticed about it (each kind of evidence with
its own weight) and from how much it was handled since it was last counted, since every pick may be a mis-pick.

Where more lines are likely wrong than a day has counts, those come first that a count puts right for longest: what
sells so fast that it will be wrong again tomorrow can wait, and is seen by whoever picks it next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.counts import CountCause

A_SHARE, B_SHARE = 0.80, 0.95
INTERVAL_DAYS = {"A": 30, "B": 90, "C": 180}
"""How often a line of each class is counted when nothing speaks against it."""
EVIDENCE = {
    CountCause.NEGATIVE: 0.9,
    CountCause.SHORT_PICK: 0.9,
    CountCause.SURPLUS: 0.9,
    CountCause.SHORTAGE: 0.95,
    CountCause.SNAPSHOT: 0.9,
    CountCause.DRIFT: 0.5,
    CountCause.MISPICK: 0.5,
}
"""How likely a line is wrong of which this was noticed once."""
HANDLING_RATE = 0.005
"""Of how many handlings one leaves the books wrong, until counts have said so themselves."""
HANDLING_PRIOR = 2_000
"""Handlings that the rate above is worth against measured ones."""
HANDLING_MIN = 0.02
"""Below this chance handling alone is no reason to count a line."""
RELAPSE_RATE, RELAPSE_PRIOR = 0.005, 200
"""Of how many units sold one leaves a line wrong, until counts have said so, and the units that this is worth."""
LASTING_DAYS = 20
"""Longer than this no count is thought to keep a line right."""
LIKELY = 0.5
"""From this chance on a line is counted before any whose turn it is."""
CYCLE_SHARE = 0.2
"""Of the lines of a day so many are then for those whose turn it is: suspicion knows only what was noticed."""


class Candidate(NamedTuple):
    """A line. `handlings`: since it was last counted; `days`: since then, or since it came to be.

    `signals`: how often each kind of evidence came up since it was last counted. `daily`: units it sells on a day of
    work, on average.
    """

    sku_id: int
    abc: str
    days: float
    handlings: int
    signals: Mapping[CountCause, int]
    daily: float = 0.0


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """`chance`: that the line is wrong, from 0 to 1."""

    sku_id: int
    abc: str
    cause: CountCause
    chance: float = field(compare=False)


def classify_abc(values: Mapping[int, float]) -> dict[int, str]:
    """The class of each SKU by what it moves (value x velocity). What does not move is C."""
    total = sum(values.values())
    classes: dict[int, str] = {}
    before = 0.0
    for sku_id, value in sorted(values.items(), key=lambda pair: (-pair[1], pair[0])):
        share = before / total if total else 1.0
        classes[sku_id] = "C" if value <= 0 or share >= B_SHARE else "B" if share >= A_SHARE else "A"
        before += value
    return classes


def measure_rate(wrong: int, handlings: int) -> float:
    """How many handlings go wrong, as counts found, leaning on `HANDLING_RATE` while they are few."""
    return (wrong + HANDLING_RATE * HANDLING_PRIOR) / (handlings + HANDLING_PRIOR)


def measure_relapse(wrong: int, sold: int) -> float:
    """How often a unit sold leaves a line wrong: of all lines that counts found wrong and all units sold meanwhile."""
    return (wrong + RELAPSE_RATE * RELAPSE_PRIOR) / (sold + RELAPSE_PRIOR)


def weigh_count(chance: float, daily: float, relapse: float) -> float:
    """Days for which a count is expected to make the line right: `chance` that it is wrong, times how long it lasts.

    `daily`: units sold a day, each of which leaves the line wrong again with the probability `relapse`.
    """
    again = 1 - math.exp(-relapse * daily)
    return chance / (1 / LASTING_DAYS + again)


def suspect(candidate: Candidate, rate: float) -> tuple[float, CountCause]:
    """The chance that a line is wrong, and what speaks most for it."""
    right_by_handling = math.exp(-rate * candidate.handlings)
    right = right_by_handling
    cause, most = CountCause.HANDLING, 1 - right_by_handling
    for kind, times in candidate.signals.items():
        wrong = 1 - (1 - EVIDENCE[kind]) ** times
        right *= 1 - wrong
        if wrong > most:
            cause, most = kind, wrong
    return 1 - right, cause


def choose_lines(
    candidates: Sequence[Candidate], limit: int, rate: float, relapse: float = RELAPSE_RATE
) -> list[PlannedLine]:
    """At most `limit` lines: those more likely wrong than right, then `CYCLE_SHARE` by turn, then by suspicion again.

    Suspicious lines come by what counting them is worth (`weigh_count`); of equals those of class A first, then the
    longest uncounted. `rate`: see `measure_rate`, `relapse`: see `measure_relapse`.
    """
    judged = [(one, *suspect(one, rate)) for one in candidates]
    by_suspicion = sorted(
        judged, key=lambda j: (-weigh_count(j[1], j[0].daily, relapse), j[0].abc, -j[0].days, j[0].sku_id)
    )
    due = [j for j in judged if j[0].days >= INTERVAL_DAYS[j[0].abc]]
    by_turn = sorted(due, key=lambda j: (-j[0].days / INTERVAL_DAYS[j[0].abc], -j[1], j[0].sku_id))
    likely = [
        PlannedLine(one.sku_id, one.abc, cause, chance) for one, chance, cause in by_suspicion if chance >= LIKELY
    ]
    turn = [PlannedLine(one.sku_id, one.abc, CountCause.CYCLE, chance) for one, chance, _ in by_turn]
    rest = [PlannedLine(one.sku_id, one.abc, cause, chance) for one, chance, cause in by_suspicion]
    chosen: dict[int, PlannedLine] = {line.sku_id: line for line in likely[:limit]}
    _add(chosen, turn, min(limit, len(chosen) + math.ceil(limit * CYCLE_SHARE)))
    _add(chosen, [line for line in rest if line.chance >= HANDLING_MIN], limit)
    _add(chosen, turn, limit)
    return list(chosen.values())


def _add(chosen: dict[int, PlannedLine], lines: Sequence[PlannedLine], upto: int) -> None:
    for line in lines:
        if len(chosen) >= upto:
            return
        chosen.setdefault(line.sku_id, line)


def lines_limit(lines: int, share_percent: float) -> int:
    """How many of `lines` a day's plan may have: at most the share, and one where there is any."""
    return max(1, math.floor(lines * share_percent / 100)) if lines else 0
