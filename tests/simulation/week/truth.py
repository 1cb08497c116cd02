"""What physically stands where, by unit: nothing that Onhand says goes into it.

Units only move from place to place, so the truth conserves by itself. What the books are known to say otherwise (a
theft nobody saw, a wrong unit picked, a record that was refused for good) is kept beside it as `error`: units in the
books less units in the world.
"""

from __future__ import annotations

import datetime
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

STORY_MAX = 20_000
BOOKS = ("sound", "damaged", "quality_control", "in_transit")
"""What is compared, for each warehouse and SKU: `sound` is available, reserved and committed together."""


class Place(NamedTuple):
    """`kind`: shelf, table (picked for a fulfilment order), damaged, dock, truck; supplier, customer, scrap, lost."""

    kind: str
    where: str = ""


SUPPLIER, CUSTOMER, SCRAP, LOST = Place("supplier"), Place("customer"), Place("scrap"), Place("lost")
OUTSIDE = (SUPPLIER, CUSTOMER, SCRAP, LOST)


def shelf(house: str) -> Place:
    return Place("shelf", house)


def dock(house: str) -> Place:
    """Where returns wait for their inspection."""
    return Place("dock", house)


def broken(house: str) -> Place:
    return Place("damaged", house)


def truck(transfer: str) -> Place:
    return Place("truck", transfer)


def ghost(transfer: str) -> Place:
    """What fell off a truck: the books have it on the way until somebody gives it up."""
    return Place("ghost", transfer)


class Move(NamedTuple):
    sku: str
    source: Place
    target: Place
    units: int


class Effect(NamedTuple):
    """What the books change by when a record of a move reaches them."""

    house: str
    book: str
    sku: str
    units: int


class Placed(NamedTuple):
    """Units into a bin, or out of it (less than zero); the rest of a shelf stands on its floor."""

    house: str
    bin: str
    sku: str
    units: int


class Picked(NamedTuple):
    """A unit on the packing table: what its label says, and what it is."""

    label: str
    actual: str


@dataclass(slots=True)
class Truth:
    """The world. `table`: picked units by fulfilment order, `table_house`: where that table stands."""

    units: Counter[tuple[Place, str]] = field(default_factory=Counter)
    error: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    table: dict[str, list[Picked]] = field(default_factory=dict)
    table_house: dict[str, str] = field(default_factory=dict)
    bins: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Of what stands on a shelf, by warehouse, bin and SKU: where people put things where they say."""
    dirty: set[tuple[str, str]] = field(default_factory=set)
    """Warehouse and SKU of which the books were wrong once: which bin they are wrong about then is not known."""
    names: dict[str, str] = field(default_factory=dict)
    """What a transfer was called before it had an id."""
    story: deque[tuple[datetime.datetime, str, str]] = field(default_factory=lambda: deque(maxlen=STORY_MAX))
    """The latest of what was done: when, to which SKU, what."""
    injected: Counter[str] = field(default_factory=Counter)
    """Units by which the books were made wrong, by how."""

    def move(self, moves: Iterable[Move]) -> None:
        """All of it. Raises AssertionError when units are taken from where none are."""
        for sku, source, target, units in moves:
            assert units > 0, (sku, source, target, units)
            if source not in OUTSIDE:
                assert self.units[source, sku] >= units, f"the simulator has no {units} of {sku} at {source}"
            self.units[source, sku] -= units
            self.units[target, sku] += units
            self.tell(sku, f"{units} from {'/'.join(source)} to {'/'.join(target)}")

    def place(self, placed: Iterable[Placed]) -> None:
        for house, name, sku, units in placed:
            self.bins[house, name, sku] += units
            self.tell(sku, f"{units:+d} in bin {name} of {house}")

    def floor(self, house: str, sku: str) -> int:
        """Units on a shelf that are in no bin."""
        in_bins = sum(n for (where, _, what), n in self.bins.items() if (where, what) == (house, sku))
        return self.at(shelf(house), sku) - in_bins

    def at(self, place: Place, sku: str) -> int:
        return self.units[place, sku]

    def tell(self, sku: str, what: str) -> None:
        self.story.append((datetime.datetime.now(datetime.UTC), sku, what))

    def falsify(self, house: str, book: str, sku: str, units: int, how: str) -> None:
        """The books are wrong by so many more units than before."""
        self.error[house, book, sku] += units
        self.dirty.add((house, sku))
        self.injected[how] += abs(units)
        self.tell(sku, f"books of {house}, {book}: {units:+d}, {how}")

    def pick(self, work: str, house: str, picked: Iterable[Picked]) -> None:
        """From the shelf to the table; a wrong unit makes the books wrong on both SKUs."""
        self.table_house[work] = house
        for unit in picked:
            self.move([Move(unit.actual, shelf(house), Place("table", work), 1)])
            self.table.setdefault(work, []).append(unit)
            if unit.actual != unit.label:
                self.falsify(house, "sound", unit.actual, 1, "picked instead of another")
                self.falsify(house, "sound", unit.label, -1, "left on the shelf for another")

    def put_back(self, work: str, label: str, units: int) -> None:
        """What is not wanted any more goes where it belongs: a wrong unit is noticed then."""
        house, on_table = self.table_house[work], self.table[work]
        for unit in [one for one in on_table if one.label == label][:units]:
            on_table.remove(unit)
            self.move([Move(unit.actual, Place("table", work), shelf(house), 1)])
            if unit.actual != unit.label:
                self.error[house, "sound", unit.actual] -= 1
                self.error[house, "sound", unit.label] += 1

    def send(self, work: str, label: str, units: int) -> None:
        """Out of the door, whatever it is."""
        on_table = self.table[work]
        sent = [one for one in on_table if one.label == label][:units]
        assert len(sent) == units, f"{units} of {label} left {work}, and only {len(sent)} were on its table"
        for unit in sent:
            on_table.remove(unit)
            self.move([Move(unit.actual, Place("table", work), CUSTOMER, 1)])

    def labelled(self, work: str, label: str) -> int:
        return sum(one.label == label for one in self.table.get(work, ()))

    def expected_books(self, trucks: dict[str, str]) -> Counter[tuple[str, str, str]]:
        """What the books must say, by warehouse, book and SKU. `trucks`: where each transfer's units are going.

        Units on a table count as what their label says.
        """
        said: Counter[tuple[str, str, str]] = Counter()
        names = {"shelf": "sound", "damaged": "damaged", "dock": "quality_control"}
        for (place, sku), units in self.units.items():
            if place.kind in names:
                said[place.where, names[place.kind], sku] += units
            elif place.kind in {"truck", "ghost"}:
                said[trucks[place.where], "in_transit", sku] += units
        for work, picked in self.table.items():
            for unit in picked:
                said[self.table_house[work], "sound", unit.label] += 1
        for key, units in self.error.items():
            said[key] += units
        return said

    def stock(self, house: str) -> Iterator[tuple[str, int]]:
        """What is on the shelves."""
        for (place, sku), units in list(self.units.items()):
            if place == shelf(house) and units > 0:
                yield sku, units
