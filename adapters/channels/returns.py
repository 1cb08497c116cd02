"""What some channels can be asked about returns: to pay a refund, what came of it, what one is, which are coming."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from adapters.channels.base import InboundEvent, WriteResult
from adapters.channels.news import ReturnNotice


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to be paid back for an order, in its currency (ISO 4217).

    `lines`: (the channel's line id, units) that came back; empty when it is about none. `return_external_id`: the
    channel's own return, if it has one. `key`: the same on every retry. `since`: when it was first tried; whatever the
    channel shows of the same amount from then on is this one, if its reply was lost. `others`: refunds of the order
    that are known to be of other returns. `receipt`: the channel's id of this one, if it has given it.
    """

    order_external_id: str
    return_external_id: str | None
    lines: tuple[tuple[str, int], ...]
    amount: Decimal
    currency: str
    key: str
    since: datetime.datetime
    label: str
    others: frozenset[str] = frozenset()
    receipt: str | None = None


@runtime_checkable
class RefundingChannel(Protocol):
    """A channel that pays refunds when it is told to. None of its calls changes its stock."""

    async def issue_refund(self, refund: Refund) -> WriteResult:
        """Safe to call again at any time. Raises `Fault`.

        `OK`: paid. `ACCEPTED`: being paid, its news will say when. `receipt`: the channel's id of the refund.
        """
        ...


@runtime_checkable
class RefundLookingChannel(Protocol):
    """A channel that shows what became of a refund that it has taken."""

    async def look_refund(self, refund: Refund) -> WriteResult | None:
        """`OK`: paid. `ACCEPTED`: still being paid. `REFUSED`: it failed there. None: nothing of it is shown.

        Pays nothing. Raises `Fault`.
        """
        ...


@runtime_checkable
class ReturnReadingChannel(Protocol):
    """A channel whose returns can be read one by one."""

    async def read_return(self, external_id: str) -> ReturnNotice | None:
        """As it is now; None for one that is only asked for, and for one that it does not know. Raises `Fault`."""
        ...


@dataclass(frozen=True, slots=True)
class ReturnPage:
    """Each record as an event with its body. `cursor`: gives the next page; None at the end."""

    records: tuple[tuple[InboundEvent, bytes], ...]
    cursor: str | None


@runtime_checkable
class ReturnListingChannel(Protocol):
    """A channel that tells of returns only when it is asked. What a record means, `read_event` says."""

    @property
    def lists_returns(self) -> bool:
        """Whether this connection has any to list."""
        ...

    async def list_returns(self, since: datetime.datetime, cursor: str | None = None) -> ReturnPage:
        """Those created since. An event's id is the return's, `@`, and its version, which sorts as text.

        Raises `Fault`.
        """
        ...
