"""What every logistics partner can be asked, in Onhand's own words. Each adapter speaks one contract.

A partner is another company's system. It takes an order or does not, ships it when it can, and tells of it late, twice
or out of order. Only what it tells counts: that it heard of a cancellation says nothing of whether the goods leave.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from adapters.channels.base import Address


class PartnerStatus(StrEnum):
    """`PROCESSING`: it has taken the order on. The others are ends, each for some or all units of the order."""

    PROCESSING = "PROCESSING"
    SHIPPED = "SHIPPED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class DelegatedLine:
    """`line_id`: ours, which the partner gives back. Units of `sku`."""

    line_id: str
    sku: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Delegation:
    """Work for a partner. `key`: the same on every try, a UUID. `reference`: what people call it.

    `warehouse`: the partner's own name of the place, when it has several.
    """

    key: str
    reference: str
    lines: tuple[DelegatedLine, ...]
    address: Address
    email: str | None = None
    placed_at: datetime.datetime | None = None
    ship_by: datetime.datetime | None = None
    warehouse: str | None = None


class Units(NamedTuple):
    """Of one line. Partners leave out our `line_id` at times, and tell the `sku` alone."""

    line_id: str | None
    sku: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class PartnerShipment:
    """One parcel. `notification_id`: the same whenever it is told of."""

    notification_id: str
    lines: tuple[Units, ...]
    carrier: str | None
    tracking_number: str | None
    shipped_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class PartnerRefusal:
    """Units that the partner will not ship. `lines` empty: all that are not shipped."""

    status: PartnerStatus
    reason: str
    lines: tuple[Units, ...] = ()


@dataclass(frozen=True, slots=True)
class PartnerOrder:
    """All that the partner says of one order, up to now; `status` is None when it says none."""

    partner_order_id: str
    status: PartnerStatus | None
    shipments: tuple[PartnerShipment, ...] = ()
    refusals: tuple[PartnerRefusal, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`cursor`: asks for the next page; None at the end. `broken`: what is wrong with orders that cannot be read."""

    orders: tuple[PartnerOrder, ...]
    cursor: str | None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartnerStock:
    """Units of one SKU at one of the partner's warehouses. `committed`: of `on_hand`, promised to open orders."""

    sku: str
    warehouse: str
    on_hand: int
    available: int
    committed: int


@dataclass(frozen=True, slots=True)
class StockPage:
    """`as_of`: nothing that happened at the partner before it is missing. What happened after it may be in or not."""

    levels: tuple[PartnerStock, ...]
    as_of: datetime.datetime
    cursor: str | None


class Partner(Protocol):
    """A logistics partner. Every call raises `Fault` when it failed, `Throttled` for quota."""

    async def delegate(self, work: Delegation) -> str:
        """The partner's id of the order: an acknowledgement, not an acceptance. Safe to repeat with the same key."""
        ...

    async def request_cancel(self, partner_order_id: str, reason: str, key: str) -> None:
        """Returns when the partner has heard it. The goods may leave all the same: `recent_changes` says."""
        ...

    async def recent_changes(self, since: datetime.datetime, cursor: str | None = None) -> ChangePage:
        """Orders that changed since then, in any order, perhaps told before: callers overlap their windows."""
        ...

    async def read_order(self, partner_order_id: str) -> PartnerOrder | None:
        """None when the partner does not know it."""
        ...

    async def read_stock(self, skus: Sequence[str] = (), cursor: str | None = None) -> StockPage:
        """A page of a snapshot; no SKUs: all."""
        ...
