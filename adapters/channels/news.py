"""What a channel's event means, whatever its vendor's words are."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from adapters.channels.base import ChannelOrder, Observation


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """The event carries the whole order."""

    order: ChannelOrder


@dataclass(frozen=True, slots=True)
class OrderToPull:
    """The event only names an order that changed, or a part of one: `read_order` takes either."""

    external_id: str


@dataclass(frozen=True, slots=True)
class QuantitySeen:
    """The channel says what a listing shows now; it may be the echo of our own write.

    `at`: when, by what was signed; whoever sends it again later cannot make it newer.
    """

    observation: Observation
    at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class QuantityToLook:
    """What the channel shows changed, and the event does not prove to what: look at it next."""

    external_id: str
    location: str


@dataclass(frozen=True, slots=True)
class ReturnNotice:
    """What a channel says about a customer's return. It says nothing about stock, whatever its words are.

    `lines`: (the channel's line id, units), empty when the channel does not say what. `restocked`: the channel
    has put the units back into its own count. `refund`: amount and currency, `refunded` whether that was paid.
    `items`: (the channel's SKU, units), from a channel that does not name lines. `announces` False: it is about money
    alone, and makes no return. `cancelled`: it does not come after all. `refund_id`: the channel's id of the refund;
    `refund_at`: when it was paid, None when that is now. `exchange`: what the channel calls that which is sent instead.
    `exchange_lines`: its ids of lines of the same order that are sent instead.
    """

    external_id: str
    order_external_id: str
    lines: tuple[tuple[str, int], ...] = ()
    restocked: bool = False
    refund: tuple[Decimal, str] | None = None
    refunded: bool = False
    reason: str | None = None
    items: tuple[tuple[str, int], ...] = ()
    announces: bool = True
    cancelled: bool = False
    refund_id: str | None = None
    refund_at: datetime.datetime | None = None
    exchange: str | None = None
    exchange_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnToPull:
    """The event only names a return that changed: a `ReturnReadingChannel` reads it."""

    external_id: str


@dataclass(frozen=True, slots=True)
class ReturnSeen:
    """A return was authorised, or refunded, on the channel."""

    notice: ReturnNotice


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """An accepted batch is through: ask `settle`."""

    receipt: str


@dataclass(frozen=True, slots=True)
class AccessRevoked:
    """The seller took our access away, it says: a call proves it (`AccessChannel`). Nothing works until the channel is
    connected again.
    """

    message: str


ChannelNews = (
    OrderSeen | OrderToPull | QuantitySeen | QuantityToLook | ReturnSeen | ReturnToPull | BatchFinished | AccessRevoked
)
