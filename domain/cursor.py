"""Where a client stands in the change feed.

Feed rows are ordered by (transaction id, row id) and read only below the line, the oldest transaction still running,
so no row that commits late is skipped. A client that starts from a snapshot of the database has some rows above the
line already: its cursor names them until it is past them, so that they are not delivered again.

Text form: `<xid>.<id>`, then `~<xmax>:<id>-<id>,<id>-<id>…` while needed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from domain.errors import Refusal, RefusalCode

ID_MAX = 2**63 - 1
TEXT_MAX = 65_536
"""Far more than `RANGES_MAX` ranges need."""
RANGES_MAX = 1_000
UNFINISHED = "snapshot"
"""The cursor of an event within a snapshot: who has a part of one can only go on from a whole one."""


class Position(NamedTuple):
    """A place in the feed: everything up to and including it is known."""

    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows above the line that a snapshot held: their ids in ascending ranges. All lie before transaction `xmax`."""

    xmax: int
    ranges: tuple[tuple[int, int], ...]

    def holds(self, row_id: int) -> bool:
        found = bisect_right(self.ranges, (row_id, ID_MAX)) - 1
        return found >= 0 and row_id <= self.ranges[found][1]

    def __str__(self) -> str:
        return f"{self.xmax}:{','.join(f'{first}-{last}' for first, last in self.ranges)}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position, and what the client has beyond it while that can still come."""

    position: Position
    seen: Seen | None = None

    def at(self, position: Position) -> Cursor:
        """This client's cursor after a later row."""
        within = self.seen is not None and position.xid < self.seen.xmax
        return Cursor(position, self.seen if within else None)

    def skips(self, position: Position) -> bool:
        """Whether the client knows this row already."""
        return position <= self.position or (self.seen is not None and self.seen.holds(position.id))

    def next_xid_min(self) -> int:
        """A database whose next transaction id is lower has not given this cursor: it lies in its future."""
        return max(self.position.xid + 1, 0 if self.seen is None else self.seen.xmax)

    def __str__(self) -> str:
        place = f"{self.position.xid}.{self.position.id}"
        return place if self.seen is None else f"{place}~{self.seen}"


def see(xmax: int, ids: Iterable[int]) -> Seen | None:
    """Rows of a snapshot above the line, as ranges, `RANGES_MAX` at most: the oldest are left out."""
    ranges: list[tuple[int, int]] = []
    for row_id in sorted(ids):
        if ranges and row_id == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], row_id)
        else:
            ranges.append((row_id, row_id))
    return Seen(xmax, tuple(ranges[-RANGES_MAX:])) if ranges else None


def _parse_seen(text: str) -> Seen:
    xmax, _, ranges = text.partition(":")
    pairs = [pair.partition("-") for pair in ranges.split(",")]
    return Seen(int(xmax), tuple((int(first), int(last)) for first, _, last in pairs))


def parse_cursor(text: str) -> Cursor:
    """Read a cursor a client sends back. Raises `Refusal` INVALID_INPUT."""
    try:
        place, _, seen = text.partition("~")
        xid, _, row = place.partition(".")
        position = Position(int(xid), int(row))
        if not (0 <= position.xid <= ID_MAX and 0 <= position.id <= ID_MAX) or len(text) > TEXT_MAX:
            raise ValueError(text)
        return Cursor(position, _parse_seen(seen) if seen else None)
    except ValueError:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            "`after` is no cursor of ours: give one that came with an event.",
            ("after",),
        ) from None
