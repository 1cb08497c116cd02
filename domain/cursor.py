"""Where a client stands in the change feed.

Feed rows are ordered by (transaction id, row id) and read only below the oldest transaction still running, so
no row that commits late is skipped. A client that starts from a snapshot has seen some rows above that line
already; its cursor carries the snapshot until it is past it, so that those rows are not delivered again.

Text form: `<xid>.<id>`, then `~<xmin>:<xmax>:<xip,...>` (PostgreSQL's own form of a snapshot) while needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from domain.errors import Refusal, RefusalCode

ID_MAX = 2**63 - 1
UNFINISHED = "snapshot"
"""The cursor of an event within a snapshot: who has a part of one can only go on from a whole one."""


class Position(NamedTuple):
    """A place in the feed: everything up to and including it is known."""

    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a transaction sees (`pg_current_snapshot()`): ids below `xmin`, and those below `xmax` not in `xip`."""

    xmin: int
    xmax: int
    xip: frozenset[int] = frozenset()

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and (xid < self.xmin or xid not in self.xip)

    def start(self) -> Position:
        """Everything at or before this position is in the snapshot."""
        return Position(self.xmin - 1, ID_MAX)

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.xip)))}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position, and the snapshot the client started from while rows seen in it can still come."""

    position: Position
    snapshot: Snapshot | None = None

    def at(self, position: Position) -> Cursor:
        """This client's cursor after a later row."""
        within = self.snapshot is not None and position.xid < self.snapshot.xmax
        return Cursor(position, self.snapshot if within else None)

    def skips(self, position: Position) -> bool:
        """Whether the client knows this row already."""
        return position <= self.position or (self.snapshot is not None and self.snapshot.sees(position.xid))

    def next_xid_min(self) -> int:
        """A database whose next transaction id is lower has not given this cursor: it lies in its future."""
        return max(self.position.xid + 1, 0 if self.snapshot is None else self.snapshot.xmax)

    def __str__(self) -> str:
        place = f"{self.position.xid}.{self.position.id}"
        return place if self.snapshot is None else f"{place}~{self.snapshot}"


def parse_snapshot(text: str) -> Snapshot:
    """Read PostgreSQL's text form. Raises `ValueError`."""
    xmin, xmax, xip = text.split(":")
    return Snapshot(int(xmin), int(xmax), frozenset(int(xid) for xid in xip.split(",") if xid))


def parse_cursor(text: str) -> Cursor:
    """Read a cursor a client sends back. Raises `Refusal` INVALID_INPUT."""
    try:
        place, _, snapshot = text.partition("~")
        xid, _, row = place.partition(".")
        position = Position(int(xid), int(row))
        if not (0 <= position.xid <= ID_MAX and 0 <= position.id <= ID_MAX) or len(text) > 10_000:
            raise ValueError(text)
        return Cursor(position, parse_snapshot(snapshot) if snapshot else None)
    except ValueError:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            "`after` is no cursor of ours: give one that came with an event.",
            ("after",),
        ) from None
