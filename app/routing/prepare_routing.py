"""Gather what a decision will need before anything is locked, and which rows to lock for it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from adapters.places.place import Place
from app.routing.read_facts import House, RoutingFacts, SkuFacts
from domain.distance import measure_distance
from domain.routing.filter_sites import choose_cut_off, first_day, local_day
from domain.routing.policy import DAYS_AHEAD_MAX, MICROS, Policy
from domain.routing.problem import Day, Held, Problem, Site, Wanted
from domain.stock import Book, DayKey, DaySpace, StockKey

LOW_SPACE = 64
"""With no more places than this on a free day, the next free one is locked too."""
ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Promise:
    """What an order says of itself, as far as rules may ask. `postal_code` as the policy's prefixes need it."""

    channel: str
    country_code: str | None = None
    region_code: str | None = None
    postal_code: str | None = None
    value_micros: int | None = None
    currency: str | None = None
    ship_by: datetime.datetime | None = None
    deliver_by: datetime.datetime | None = None
    precision: str = "NONE"


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be promised of an order. `barred`: who may not, and why; `works`: scheduled work to join."""

    order_id: UUID
    lines: Collection[Wanted]
    trigger: str
    barred: Mapping[int, str] = field(default_factory=dict)
    works: Mapping[int, tuple[UUID, datetime.date | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything but the locked numbers. `locks`: days with a limit that the decision may take a place on."""

    policy_version: int | None
    policy: Policy
    promise: Promise
    houses: tuple[tuple[House, float | None], ...]
    days: Mapping[DayKey, DaySpace]
    locks: frozenset[DayKey]
    skus: Mapping[int, SkuFacts]
    weekly: Mapping[StockKey, float] = field(default_factory=dict)

    def keys(self, sku_ids: Collection[int]) -> list[StockKey]:
        return [StockKey(sku, house.id) for sku in sku_ids for house, _ in self.houses]

    def problem(self, wanted: Want, book: Book, now: datetime.datetime, *, strict: bool) -> Problem:
        """The problem on locked numbers. A day that nobody locked is as it was seen, or full when `strict`."""
        skus, days = {line.sku_id for line in wanted.lines}, self._spaces(book, now, strict)
        sites = tuple(
            self._site(house, distance, book, skus, days.get(house.id, {}), wanted.barred.get(house.id))
            for house, distance in self.houses
        )
        told = self.promise
        return Problem(
            now,
            told.channel,
            tuple(wanted.lines),
            sites,
            told.country_code,
            told.region_code,
            told.postal_code,
            told.value_micros,
            told.currency,
            told.ship_by,
            told.deliver_by,
            told.precision,
            {
                house.id: wanted.works[house.id][1] or local_day(now, house.time_zone)
                for house, _ in self.houses
                if house.id in wanted.works
            },
        )

    def _spaces(self, book: Book, now: datetime.datetime, strict: bool) -> dict[int, dict[datetime.date, Day]]:
        """Days with a limit by warehouse, as far as the last one of ours, and those that others of the batch locked."""
        spaces = {**self.days, **book.days}
        last: dict[int, datetime.date] = {}
        for key in self.locks:
            last[key.warehouse_id] = max(key.day, last.get(key.warehouse_id, key.day))
        found: dict[int, dict[datetime.date, Day]] = {house.id: {} for house, _ in self.houses}
        for key, space in spaces.items():
            near = key in book.days or key.day <= last.get(key.warehouse_id, key.day)
            if near and space.capacity is not None and key.warehouse_id in found:
                found[key.warehouse_id][key.day] = Day(space.capacity, space.taken, space.version)
        if strict:
            for house, _ in self.houses:
                self._close(house, found[house.id], book, now)
        return found

    def _close(self, house: House, days: dict[datetime.date, Day], book: Book, now: datetime.datetime) -> None:
        """What nobody locked counts as full."""
        if house.capacity is None and not days:
            return
        today = local_day(now, house.time_zone)
        for ahead in range(DAYS_AHEAD_MAX + 2):
            key = DayKey(house.id, today + ONE_DAY * ahead)
            if key not in book.days:
                days[key.day] = Day(0, 0)

    def _site(
        self,
        house: House,
        distance: float | None,
        book: Book,
        skus: Collection[int],
        days: Mapping[datetime.date, Day],
        barred: str | None,
    ) -> Site:
        held = {}
        for sku in skus:
            key = StockKey(sku, house.id)
            balance = book.balances.get(key)
            if balance is not None:
                weekly = self.weekly.get(key, 0.0)
                held[sku] = Held(balance["available"], balance.safety_stock, balance.version, weekly)
        return Site(
            *(house.id, house.code, house.kind, house.status, house.time_zone, distance, held, days, house.capacity),
            *(house.groups, house.cut_off, barred, house.opening),
        )


async def prepare_routing(
    facts: RoutingFacts,
    channel_id: int,
    sku_ids: Collection[int],
    promise: Promise,
    place: Place,
    postal_code: str | None,
    attempt: int = 1,
) -> Prepared:
    """Distances from `place`; the postal code is kept as far as the policy looks at it, and no further.

    `attempt`: each one locks twice as many days as the one before, since others filled those.
    """
    version, policy = await facts.policy()
    houses = await facts.sources(channel_id)
    now = datetime.datetime.now(datetime.UTC)
    seen = await facts.days(now)
    mine = {house.id for house in houses}
    days = {key: space for key, space in seen.items() if key.warehouse_id in mine}
    locks = frozenset(key for house in houses for key in _days_to_lock(house, policy, days, now, 2**attempt))
    needs_cover = any(rule.objective.cover for rule in policy.rules)
    return Prepared(
        version,
        policy,
        replace(promise, postal_code=shorten_postal_code(policy, postal_code)),
        tuple(place_house(house, place) for house in houses),
        days,
        locks,
        await facts.skus(sku_ids),
        await facts.weekly(sku_ids) if needs_cover else {},
    )


def shorten_postal_code(policy: Policy, postal_code: str | None) -> str | None:
    """As many characters as the longest prefix in the policy: a decision is kept for good, an address is not."""
    longest = max((len(prefix) for rule in policy.rules for prefix in rule.orders.postal_prefixes), default=0)
    return (postal_code or "").replace(" ", "").upper()[:longest] or None


def _days_to_lock(
    house: House, policy: Policy, days: Mapping[DayKey, DaySpace], now: datetime.datetime, days_max: int
) -> set[DayKey]:
    """The first day with room for each rule, and the next ones while that is nearly full, `days_max` in all.

    A day without limit needs none.
    """
    found: set[DayKey] = set()
    today = local_day(now, house.time_zone)
    for cut_off, needed in {
        (choose_cut_off(rule.sites.cut_off, house.cut_off), rule.sites.capacity_left_min) for rule in policy.rules
    }:
        free: list[DayKey] = []
        start = (first_day(now, house.time_zone, cut_off) - today).days
        for ahead in range(start, DAYS_AHEAD_MAX + 1):
            key = DayKey(house.id, today + ONE_DAY * ahead)
            if not house.opening.is_open(key.day):
                continue
            space = days.get(key) or DaySpace(house.capacity, 0)
            if space.capacity is None:
                break
            left = space.capacity - space.taken
            if left >= needed:
                free.append(key)
                if left > LOW_SPACE or len(free) == days_max:
                    break
        found.update(free)
    return found


def place_house(house: House, place: Place) -> tuple[House, float | None]:
    """A warehouse with its distance from `place`, km, as far as both are known."""
    return house, _distance(house, place)


def _distance(house: House, place: Place) -> float | None:
    if house.latitude is None or house.longitude is None or place.latitude is None or place.longitude is None:
        return None
    return round(measure_distance(place.latitude, place.longitude, house.latitude, house.longitude), 1)


def to_micros(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * MICROS)
