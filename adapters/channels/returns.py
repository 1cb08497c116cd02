"""What some channels can be asked about returns: to pay a refund."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from adapters.channels.base import WriteResult


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to be paid back for an order, in its currency (ISO 4217).

    `lines`: (the channel's line id, units) that came back; empty when it is about none. `return_external_id`: the
    channel's own return, if it has one. `key`: the same on every retry. `since`: when it was first tried; whatever the
    channel shows of the same amount from then on is this one, if its reply was lost. `others`: refunds of the order
    that are known to be of other returns.
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


@runtime_checkable
class RefundingChannel(Protocol):
    """A channel that pays refunds when it is told to. None of its calls changes its stock."""

    async def issue_refund(self, refund: Refund) -> WriteResult:
        """Safe to call again at any time. Raises `Fault`.

        `OK`: paid. `ACCEPTED`: being paid, its news will say when. `receipt`: the channel's id of the refund.
        """
        ...
