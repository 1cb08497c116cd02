"""What a channel has to be told of the units of an order that were cancelled here.

A unit that a warehouse was only asked for may still be shipped: it is told of once it is cancelled. A kit is cancelled
at the channel when all its components are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.order_change import KnownLine


class NoticeState(StrEnum):
    """Whether a channel knows what was cancelled here.

    `TOLD`: it took the notice. `ACKNOWLEDGED`: its own word of the order names no more than is left. `LAPSED`: nothing
    was left to tell: the units were shipped, or are wanted after all.
    """

    PENDING = "PENDING"
    TOLD = "TOLD"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"


class CancelReason(StrEnum):
    """Why, as a channel may pass it on to the buyer."""

    SELLER = "SELLER"
    BUYER = "BUYER"
    STOCK = "STOCK"
    FRAUD = "FRAUD"


class CancelledLine(NamedTuple):
    """`units` of a channel's line to be cancelled there; `left`: that remain of it, shipped ones among them."""

    external_id: str
    units: int
    left: int


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Units of a channel's order that we shall not ship."""

    order_external_id: str
    lines: tuple[CancelledLine, ...]
    reason: CancelReason = CancelReason.SELLER


class KitPart(NamedTuple):
    """The channel's line that sells the kit, and how many of the component one kit has."""

    external_id: str
    per_kit: int


def list_cancelled(lines: Iterable[KnownLine], kits: Mapping[int, KitPart]) -> tuple[CancelledLine, ...]:
    """What there is to tell. `kits`: of lines that are components, by the line's number."""
    told, parts = [], defaultdict[str, list[CancelledLine]](list)
    for line in lines:
        one = CancelledLine(line.external_id, count_certain(line), line.counts.quantity - line.counts.cancelled)
        kit = kits.get(line.line)
        if kit is None:
            told.append(one)
        else:
            parts[kit.external_id].append(_count_kits(kit, one))
    told += [
        CancelledLine(name, min(part.units for part in found), max(part.left for part in found))
        for name, found in parts.items()
    ]
    return tuple(one for one in told if one.units > 0)


def count_certain(line: KnownLine) -> int:
    """Units that were cancelled for certain, and that the channel still names."""
    return max(0, min(line.untold - line.requested, line.counts.cancelled))


def _count_kits(kit: KitPart, part: CancelledLine) -> CancelledLine:
    return CancelledLine(kit.external_id, part.units // kit.per_kit, -(-part.left // kit.per_kit))
