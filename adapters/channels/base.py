"""What every sales channel can be asked, in Onhand's own words. Each adapter speaks one vendor's contract.

Transport is not outcome: a call that came back says only what the vendor did with each item (`WriteOutcome`), and
what the channel really shows is known from `observe` alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from adapters.channels.channel_refund import ChannelRefund
from domain.cancellations import Cancellation
from domain.errors import CauseClass, Fault
from domain.kits import Part

if TYPE_CHECKING:
    from adapters.channels.news import ChannelNews


class Throttled(Fault):
    """The quota is used up: nothing was sent, or the vendor turned it away; try again in `wait_seconds`."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message, transient=True, cause=CauseClass.QUOTA)
        self.wait_seconds = wait_seconds


class WriteOutcome(StrEnum):
    """`OK`: applied, says the vendor. `ACCEPTED`: taken in, applied later or never; only `observe` shows which.

    `STALE`: the channel's quantity was not the expected one, nothing was written. `STALE` and `TRANSIENT` are worth
    another try; `REFUSED` will not get better by itself.
    """

    OK = "OK"
    ACCEPTED = "ACCEPTED"
    STALE = "STALE"
    TRANSIENT = "TRANSIENT"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class QuantityWrite:
    """Set one listing to `quantity` units.

    `expected`: what the channel must show now (None: whatever it shows). `key`: of the intent, listing and version,
    the same on every retry. `location`: where in the channel, empty when it has one pool. `reference`: what else the
    vendor needs to address the listing (eBay's offer id, Amazon's product type).
    """

    external_id: str
    quantity: int
    expected: int | None
    key: str
    location: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one write. `receipt`: asks `settle` later for what an accepted batch came to.

    `wait_seconds`: no use trying again sooner, when that is known (a listing's daily budget is spent).
    """

    outcome: WriteOutcome
    message: str | None = None
    cause: CauseClass | None = None
    receipt: str | None = None
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ListingRef:
    """One listing at one location of a channel."""

    external_id: str
    location: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the channel says it sells. `quantity` is None when it does not know the item.

    `tracked` False: the channel sells the item without counting it, whatever it is told (and `quantity` is None).
    """

    external_id: str
    quantity: int | None
    location: str = ""
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class ChannelItem:
    """Something the channel lists: what automatic matching has to go by. `tracked`: as in `Observation`."""

    external_id: str
    sku: str | None
    barcode: str | None
    title: str | None
    quantity: int | None
    location: str = ""
    reference: str | None = None
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """Where an order goes. Personal data; ISO 3166-1 alpha-2 country."""

    name: str | None = None
    lines: tuple[str, ...] = ()
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelOrderLine:
    """`quantity`: still wanted, cancelled units left out, shipped ones not. `unit_price`: in the order's currency.

    `part`: of a kit that the line was made of; no channel tells it. `unshipped`: units that are still to be shipped,
    where the channel says so: a unit that was shipped and came back is in neither number. `shipped`: units that have
    left, by whomever, as far as the channel says.
    """

    external_id: str
    sku: str | None
    title: str | None
    quantity: int
    unit_price: Decimal | None = None
    part: Part | None = None
    unshipped: int | None = None
    shipped: int = 0


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """An order as the channel reported it. Coordinates in degrees.

    `pending`: the channel does not let it be shipped yet (payment). `refunded`: the buyer has all the money back, and
    the channel may go on naming units that are not shipped. `cancel_requested`: the buyer asked, nobody has answered.
    `version`: of the vendor, ascending, to put late events in order; None when it has none. `total`: what the buyer
    pays, in `currency` (ISO 4217). `exchange_of`: the channel's id of the order that this one is sent instead of. A
    field that is None was not told: what is known of it stays.
    """

    external_id: str
    name: str | None
    placed_at: datetime.datetime
    lines: tuple[ChannelOrderLine, ...]
    country_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    address: Address | None = None
    email: str | None = None
    pending: bool = False
    refunded: bool = False
    cancelled: bool = False
    cancel_requested: bool | None = False
    ship_by: datetime.datetime | None = None
    version: int | None = None
    phone: str | None = None
    deliver_by: datetime.datetime | None = None
    total: Decimal | None = None
    currency: str | None = None
    refunds: tuple[ChannelRefund, ...] = ()
    exchange_of: str | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """`cursor`: gives the next page; None at the end.

    `until`: changes after it are not in the answer although the window reached further (Amazon withholds the last two
    minutes): the next window starts there. None: the whole window was answered.
    """

    orders: tuple[ChannelOrder, ...]
    cursor: str | None
    until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: tuple[ChannelItem, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel. `lines`: (the channel's line id, units). `key`: the same on every retry."""

    order_external_id: str
    lines: tuple[tuple[str, int], ...]
    carrier: str
    tracking_number: str
    shipped_at: datetime.datetime
    key: str


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A verified event before its meaning is read. `event_id`: for deduplication; `topic`: the vendor's word."""

    event_id: str
    topic: str
    occurred_at: datetime.datetime | None = None


class Quota(Protocol):
    """One channel account's request budget, shared by all processes.

    `operation` names a bucket of the vendor's (`patchListingsItem`, `graphql`, `bulkUpdatePriceQuantity`).
    """

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None:
        """Raises `Throttled` at once when the budget is not there. `urgent` may use the reserved headroom too."""
        ...

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        """What the vendor said of the bucket: tokens per second, the most it holds, what it holds now."""
        ...


Secrets = Mapping[str, str]
RenewSecrets = Callable[[Secrets], Awaitable[Secrets]]


class KeepSecrets(Protocol):
    """Where a channel's credentials are kept, for vendors that give new ones at every renewal."""

    async def __call__(self, known: Secrets, renew: RenewSecrets) -> Secrets:
        """What is kept, when that is no longer `known`; else what `renew` makes of it, kept before it is returned.

        One renewal at a time in all processes: a vendor takes back what it gave before. Raises what `renew` raises,
        and a transient `Fault` when the new ones cannot be kept; they are not used then.
        """
        ...


class Channel(Protocol):
    """A sales channel. Every call raises `Fault` when it failed as a whole, with its cause; `Throttled` for quota."""

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        """How many of `pending` writes one `set_quantities` should carry now."""
        ...

    def patience_seconds(self, writes: int, *, urgent: bool) -> float:
        """How long one `set_quantities` of so many may take; 0 when it is as quick as any call."""
        ...

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        """A result for each write, in order."""
        ...

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        """Results by write key for what an accepted batch came to; None while it is still being worked on.

        `keys`: of the writes answered with this receipt. An adapter remembers its own batches for a while; another
        process than the one that sent the batch, or the same after a restart, must say them.
        """
        ...

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        """One observation per reference, in order; the adapter splits what is too much for one request."""
        ...

    async def list_items(self, cursor: str | None = None) -> ItemPage: ...

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        """Orders changed in the window, a page of them, in whatever order the vendor lists.

        A caller believes a window only when its last page came, and overlaps the next one with it. `cursor` is good
        for any process with the same window, for an hour at least. Raises `Fault`; a permanent one when the vendor
        does not know the cursor any more.
        """
        ...

    async def read_order(self, external_id: str) -> ChannelOrder | None: ...

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult: ...

    async def cancel_order(self, cancellation: Cancellation) -> WriteResult:
        """Have the channel cancel these units: safe to call again, what it does not name any more is not told twice.

        The channel's own stock must not rise by it: the units are published as any others are. Raises `Fault`.
        """
        ...

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        """None for a forged event: checked on the raw body, before anything is parsed. Header names in lower case.

        Asynchronous because a vendor may publish the key it signs with. Raises a transient `Fault` when that key
        cannot be had now: answer so that the vendor sends again.
        """
        ...

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        """What a stored event means; empty for a topic that is none of ours. Raises a permanent `Fault` when broken."""
        ...
