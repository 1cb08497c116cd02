"""All that a routing decision may look at: the order, its open lines, and each warehouse as its locked rows show it.

Nothing else goes in, so that a decision can be made again from what was kept of it (`keep_problem.py`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.kits import Part
from domain.opening import ALWAYS, Opening


@dataclass(frozen=True, slots=True)
class Wanted:
    """An open order line: `quantity` units still to be promised. `line`: its number in the order.

    `part`: what it is of a kit, which is promised whole or not at all.
    """

    line: int
    sku_id: int
    quantity: int
    weight_grams: int = 0
    tags: frozenset[str] = frozenset()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """`capacity`: orders a warehouse takes on that day, None without limit; `taken` so far; the row's `version`."""

    capacity: int | None
    taken: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A warehouse's stock of one SKU: units. `weekly`: units that leave there in a week."""

    available: int
    safety_stock: int = 0
    version: int = 0
    weekly: float = 0.0


@dataclass(frozen=True, slots=True)
class Site:
    """A warehouse that sells on the order's channel. `held` by SKU id.

    `distance_km` None: unknown. `capacity`: of a day that is not in `days`. `barred`: why it may not fill this order
    again (it rejected it, or lacked what its numbers showed).
    """

    id: int
    code: str
    kind: str
    status: str
    time_zone: str
    distance_km: float | None
    held: Mapping[int, Held]
    days: Mapping[datetime.date, Day] = field(default_factory=dict)
    capacity: int | None = None
    groups: frozenset[str] = frozenset()
    cut_off: datetime.time | None = None
    barred: str | None = None
    opening: Opening = ALWAYS


@dataclass(frozen=True, slots=True)
class Problem:
    """One order to be routed now. `value_micros` and `currency` None: not known.

    `precision`: how well its place is known, from which the distances come: POSTAL_CODE, CITY, REGION, COUNTRY, NONE,
    or EXACT when the channel told it. `scheduled`: warehouses where work of this order waits already, with its day:
    more units go with it, as the same parcel.
    """

    now: datetime.datetime
    channel: str
    lines: tuple[Wanted, ...]
    sites: tuple[Site, ...]
    country_code: str | None = None
    region_code: str | None = None
    postal_code: str | None = None
    value_micros: int | None = None
    currency: str | None = None
    ship_by: datetime.datetime | None = None
    deliver_by: datetime.datetime | None = None
    precision: str = "NONE"
    scheduled: Mapping[int, datetime.date] = field(default_factory=dict)
