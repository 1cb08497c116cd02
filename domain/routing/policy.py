"""A routing policy: ordered rules that say which warehouses may fill which orders, and what a good plan costs.

Costs are whole micros (millionths) of the policy's currency, distances kilometres, weights grams: integers, so that the
same inputs give the same plan on every machine. A policy is written and read as JSON by `read_policy.py`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

MICROS = 1_000_000
DAYS_AHEAD_MAX = 31
"""A warehouse-day is looked for at most this far ahead."""


@dataclass(frozen=True, slots=True)
class Band:
    """What one parcel costs up to a distance. `up_to_km` None: however far. `transit_days`: from ship day to door."""

    up_to_km: float | None
    per_parcel: int
    per_kg: int = 0
    transit_days: int = 1


@dataclass(frozen=True, slots=True)
class Tariff:
    """What carriers charge from `warehouses` (codes; empty: from all) to `destinations` (empty: anywhere).

    The first tariff of a policy that fits warehouse and destination counts; none, or a distance beyond the last band,
    means that no carrier goes there. `bands`: in order of distance.
    """

    bands: tuple[Band, ...]
    warehouses: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a rule is for; what is empty or None does not matter.

    `destinations`: `DE`, or `US-CA` for a region. `postal_prefixes`: of the postal code without spaces. `sku_tags`:
    only lines whose SKU has one of them. `value_min`, `value_max`: of the order, micros of the policy's currency.
    `promised`: whether the order has a ship-by or deliver-by time. `promise_days_max`: it is due in so many days.
    """

    channels: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    postal_prefixes: tuple[str, ...] = ()
    sku_tags: frozenset[str] = frozenset()
    value_min: int | None = None
    value_max: int | None = None
    promised: bool | None = None
    promise_days_max: int | None = None


@dataclass(frozen=True, slots=True)
class SiteFilter:
    """Which warehouses a rule may use; what is empty or None does not matter.

    `capacity_left_min`: orders that a day must still take. `cut_off`: the day's last local time for it, where that
    is earlier than the warehouse's own. `days_ahead_max`: how far ahead a day with capacity is looked for; 0: today.
    `keep_safety_stock`: the warehouse's safety stock stays. `keep_back`: so many units of each SKU stay besides.
    """

    codes: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset(("LIVE",))
    groups: frozenset[str] = frozenset()
    max_distance_km: float | None = None
    capacity_left_min: int = 1
    cut_off: datetime.time | None = None
    days_ahead_max: int = 14
    keep_safety_stock: bool = False
    keep_back: int = 0


@dataclass(frozen=True, slots=True)
class Objective:
    """What a plan costs, in micros; the cheapest plan wins.

    `shipping_percent`: of the tariff's shipping cost. `parcel`: each parcel. `late_day`: each day that a parcel leaves
    or arrives after the promise. `load`: a parcel on a day that is then full; less loaded days in proportion. `cover`:
    a unit from a warehouse whose stock of it is used up; in proportion up to `cover_weeks`, from there on nothing.
    `split_lines`: whether a line that one warehouse holds whole may come from several where that is cheaper.
    """

    shipping_percent: int = 100
    parcel: int = 4 * MICROS
    late_day: int = 5 * MICROS
    load: int = 0
    cover: int = 0
    cover_weeks: int = 4
    split_lines: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What it cannot fill falls to the next rule, unless it is `last`: then that waits for stock."""

    name: str
    orders: OrderFilter = field(default_factory=OrderFilter)
    sites: SiteFilter = field(default_factory=SiteFilter)
    objective: Objective = field(default_factory=Objective)
    last: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """`unknown_km`: the distance reckoned with when an address or a warehouse has no place."""

    name: str
    currency: str
    tariffs: tuple[Tariff, ...]
    rules: tuple[Rule, ...]
    unknown_km: float = 1_000.0


def _band(up_to_km: float | None, parcel: float, kilogram: float, days: int) -> Band:
    return Band(up_to_km, round(parcel * MICROS), round(kilogram * MICROS), days)


DEFAULT_POLICY = Policy(
    "Nearest first, few parcels",
    "EUR",
    (
        Tariff(
            (
                _band(50, 3.5, 0.1, 1),
                _band(200, 4.0, 0.15, 1),
                _band(500, 4.5, 0.2, 2),
                _band(1_000, 5.5, 0.3, 2),
                _band(2_000, 8.0, 0.6, 3),
                _band(5_000, 14.0, 1.5, 5),
                _band(None, 20.0, 3.0, 7),
            )
        ),
    ),
    (Rule("Any live warehouse"),),
)
"""What routes before anybody has published a policy; its version is None."""
