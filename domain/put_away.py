"""Where received goods are best put away: to their own kind first, near the pickers, and as far as a bin has room.

In this order: bins for picking that hold the SKU already, others that do, empty bins for picking, then bulk storage;
each in the order of a walk. Bins that are blocked, and zones for receiving, returns and quarantine, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ZONES = ("PICK", "BULK")


class Shelf(NamedTuple):
    """A bin. `capacity_ml` None: nobody said how much it takes. `held`: units of the SKU in question that it holds."""

    code: str
    zone: str
    sequence: tuple[int, int]
    capacity_ml: int | None
    used_ml: int
    empty: bool
    held: int


class Place(NamedTuple):
    """Units to be put into a bin, and why there."""

    bin: str
    quantity: int
    why: str


def count_room(shelf: Shelf, unit_ml: int | None, wanted: int) -> int:
    """Units that fit. Where volumes are not known, a bin takes all of one kind."""
    if shelf.capacity_ml is None or not unit_ml:
        return wanted
    return max(0, min(wanted, (shelf.capacity_ml - shelf.used_ml) // unit_ml))


def suggest_places(shelves: Sequence[Shelf], quantity: int, unit_ml: int | None) -> tuple[list[Place], int]:
    """Where `quantity` units go, and how many fit nowhere."""
    ranked = [(_rank(shelf), shelf) for shelf in shelves if shelf.zone in ZONES and (shelf.held or shelf.empty)]
    places: list[Place] = []
    left = quantity
    for (rank, _), shelf in sorted(ranked, key=lambda pair: (pair[0], pair[1].code)):
        room = count_room(shelf, unit_ml, left)
        if room:
            places.append(Place(shelf.code, room, WHY[rank]))
            left -= room
        if not left:
            break
    return places, left


WHY = ("SAME_SKU", "SAME_SKU", "EMPTY_PICK", "EMPTY_BULK")


def _rank(shelf: Shelf) -> tuple[int, tuple[int, int]]:
    bulk = shelf.zone == "BULK"
    return (int(bulk) if shelf.held else 2 + int(bulk)), shelf.sequence
