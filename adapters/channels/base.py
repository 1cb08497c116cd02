"""What every sales channel can be asked, in Onhand's own words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class WriteOutcome(StrEnum):
    """`REFUSED` will not get better by itself; `STALE` and `TRANSIENT` are worth another try."""

    OK = "OK"
    REFUSED = "REFUSED"
    STALE = "STALE"
    TRANSIENT = "TRANSIENT"


@dataclass(frozen=True, slots=True)
class QuantityWrite:
    """Set one listing to `quantity` units. `expected`: compare first, None skips; `key`: listing and version."""

    external_id: str
    quantity: int
    expected: int | None
    key: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    outcome: WriteOutcome
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the channel says it sells. `quantity` is None when it does not know the item."""

    external_id: str
    quantity: int | None


@dataclass(frozen=True, slots=True)
class ChannelOrderLine:
    external_id: str
    sku: str | None
    title: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """An order as the channel reported it. Coordinates in degrees."""

    external_id: str
    name: str | None
    placed_at: datetime.datetime
    lines: tuple[ChannelOrderLine, ...]
    country_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Channel(Protocol):
    """A sales channel. Both calls raise `Fault` when the whole call failed."""

    async def set_quantities(self, writes: Sequence[QuantityWrite]) -> list[WriteResult]: ...
    async def observe(self, external_ids: Sequence[str]) -> list[Observation]: ...
