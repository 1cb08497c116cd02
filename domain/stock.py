"""Buckets, postings and the book of locked balances on which every stock decision is made.

A posting moves a positive quantity of one SKU in one warehouse from one account to another, so what one
gives the other takes and the sum over all accounts stays zero. Conservation is not checked, it is built in.
"""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from domain.errors import Refusal, RefusalCode

INSIDE = ("available", "reserved", "committed", "damaged", "quality_control")
"""What stands on a warehouse's floor; their sum is `on_hand`."""
BUCKETS = (*INSIDE, "in_transit")
OUTSIDE = ("supplier", "customer", "adjustment", "scrap", "transfer")
"""Accounts of the world outside: they may go negative. What one warehouse gives to `transfer`, another takes from it in
the same transaction, so over all warehouses it is always zero."""
ACCOUNTS = (*BUCKETS, *OUTSIDE)
POSITION = {name: index for index, name in enumerate(ACCOUNTS)}
QUANTITY_MAX = 1_000_000_000
"""Units in one bucket or one line at the most; the columns are 32-bit."""


class DayKey(NamedTuple):
    """A day of a warehouse. Locks are taken in the order of these keys, after those of stock."""

    warehouse_id: int
    day: datetime.date


@dataclass(slots=True)
class DaySpace:
    """A locked day: `capacity` in orders (None: without limit) and how many are `taken`."""

    capacity: int | None
    taken: int
    version: int = 0


class StockKey(NamedTuple):
    """A row of stock. Locks are taken in the order of these keys."""

    sku_id: int
    warehouse_id: int


class Posting(NamedTuple):
    """`quantity` (> 0) units move from one account to another."""

    key: StockKey
    source: str
    target: str
    quantity: int


class Entry(NamedTuple):
    """A posting as it went into the book: with both balances after it, and the row's new version."""

    key: StockKey
    source: str
    target: str
    quantity: int
    source_after: int
    target_after: int


@dataclass(slots=True)
class Balance:
    """One locked row: `accounts` in the order of `ACCOUNTS`, units."""

    accounts: list[int]
    version: int
    incoming: int = 0
    safety_stock: int = 0
    updated_at: datetime.datetime | None = None

    def __getitem__(self, name: str) -> int:
        return self.accounts[POSITION[name]]

    @property
    def on_hand(self) -> int:
        return sum(self.accounts[: len(INSIDE)])

    @property
    def sound(self) -> int:
        """Units fit for sale, whoever they are promised to."""
        return self["available"] + self["reserved"] + self["committed"]


@dataclass(slots=True)
class Book:
    """Locked balances and the entries decided on them so far.

    Several commands may decide on one book, one after another; each runs in `trial()`, which takes back
    whatever a refused command had posted, so that it never shows in its neighbours' numbers.
    """

    balances: dict[StockKey, Balance]
    entries: list[Entry] = field(default_factory=list)
    days: dict[DayKey, DaySpace] = field(default_factory=dict)
    taken: list[DayKey] = field(default_factory=list)
    """A place for one order each; a day that is not among `days` has no limit."""
    freed: list[DayKey] = field(default_factory=list)
    """Places given back."""
    locked: dict[Hashable, Any] = field(default_factory=dict)
    """Other rows that were locked before the stock, by key."""
    expected: list[tuple[StockKey, int]] = field(default_factory=list)
    """Changes of `incoming`, units: what is on its way by some document moves nothing yet."""

    def post(self, posting: Posting, path: tuple[str, ...] = ()) -> Entry:
        """Apply one posting. Raises `Refusal` when the source bucket holds too little or the target too much."""
        key, source, target, quantity = posting
        balance = self.balances[key]
        accounts = balance.accounts
        at, to = POSITION[source], POSITION[target]
        left = accounts[at] - quantity
        if left < 0 and source not in OUTSIDE:
            raise Refusal(
                RefusalCode.INSUFFICIENT_STOCK,
                f"Only {accounts[at]} {source.replace('_', ' ')}, {quantity} needed: "
                "lower the quantity or take it from another warehouse.",
                path,
            )
        if accounts[to] + quantity > QUANTITY_MAX and target not in OUTSIDE:
            raise Refusal(
                RefusalCode.INVALID_QUANTITY,
                f"A bucket holds at most {QUANTITY_MAX} units: lower the quantity.",
                path,
            )
        accounts[at] = left
        accounts[to] += quantity
        entry = Entry(key, source, target, quantity, left, accounts[to])
        self.entries.append(entry)
        return entry

    def take_day(self, key: DayKey) -> None:
        """Take a place on a day. Raises `Refusal` WRONG_STATE when it is full."""
        space = self.days.get(key)
        if space is not None:
            if space.capacity is not None and space.taken >= space.capacity:
                raise Refusal(RefusalCode.WRONG_STATE, f"The warehouse takes no more orders on {key.day}.")
            space.taken += 1
        self.taken.append(key)

    def expect(self, key: StockKey, quantity: int) -> None:
        """So many units more are expected; fewer when negative. Below zero the database refuses."""
        if quantity:
            self.balances[key].incoming += quantity
            self.expected.append((key, quantity))

    def free_day(self, key: DayKey) -> None:
        """Give a place on a day back; it can be taken at once."""
        if key in self.days:
            self.days[key].taken -= 1
        self.freed.append(key)

    @contextmanager
    def trial(self) -> Iterator[int]:
        """Keep what the block posts, or take all of it back if it raises. Yields the index of its first entry."""
        mark, places, freed, expected = len(self.entries), len(self.taken), len(self.freed), len(self.expected)
        try:
            yield mark
        except BaseException:
            self._take_back(mark, expected)
            self._undo_days(places, freed)
            raise

    def _undo_days(self, taken: int, freed: int) -> None:
        for keys, mark, change in ((self.taken, taken, -1), (self.freed, freed, 1)):
            for key in keys[mark:]:
                if key in self.days:
                    self.days[key].taken += change
            del keys[mark:]

    def _take_back(self, mark: int, expected: int) -> None:
        for entry in reversed(self.entries[mark:]):
            accounts = self.balances[entry.key].accounts
            accounts[POSITION[entry.source]] += entry.quantity
            accounts[POSITION[entry.target]] -= entry.quantity
        del self.entries[mark:]
        for key, quantity in self.expected[expected:]:
            self.balances[key].incoming -= quantity
        del self.expected[expected:]

    def changed(self) -> Iterable[tuple[StockKey, Balance]]:
        """Rows with at least one entry or another expectation, in key order."""
        keys = sorted({entry.key for entry in self.entries} | {key for key, _ in self.expected})
        return [(key, self.balances[key]) for key in keys]


def check_quantity(quantity: int, path: tuple[str, ...]) -> None:
    """Refuse a line quantity that is not between 1 and `QUANTITY_MAX` units."""
    if not 1 <= quantity <= QUANTITY_MAX:
        raise Refusal(
            RefusalCode.INVALID_QUANTITY,
            f"The quantity must be a whole number from 1 to {QUANTITY_MAX}.",
            path,
        )


def check_version(balance: Balance, expected: int | None, path: tuple[str, ...]) -> None:
    """Refuse when the row has moved since the caller read it."""
    if expected is not None and balance.version != expected:
        raise Refusal(
            RefusalCode.STALE_VERSION,
            f"The stock level is at version {balance.version}, not {expected}: read it again and decide anew.",
            path,
        )
