"""A channel that is a dictionary: the port's own fake, for tests of whatever drives channels.

`before` is called with each batch before it is written and may raise a `Fault`, move rows or wait; `after` likewise
once it is written, so that a reply can be lost.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.channels.base import (
    ChannelOrder,
    InboundEvent,
    ItemPage,
    ListingRef,
    Observation,
    OrderPage,
    QuantityWrite,
    Shipment,
    WriteOutcome,
    WriteResult,
)
from adapters.channels.news import ChannelNews
from adapters.channels.returns import Refund
from domain.cancellations import Cancellation
from domain.errors import CauseClass, Fault

Hook = Callable[[Sequence[QuantityWrite]], Awaitable[None]]


async def _nothing(_: Sequence[QuantityWrite]) -> None: ...


@dataclass(slots=True)
class MemoryChannel:
    """`quantities`: what it shows, by (external id, location).."""

    quantities: dict[tuple[str, str], int] = field(default_factory=dict)
    orders: list[ChannelOrder] = field(default_factory=list)
    before: Hook = _nothing
    after: Hook = _nothing
    size: int = 250
    accepts_only: bool = False
    patience: float = 0.0
    batches: list[list[QuantityWrite]] = field(default_factory=list)
    pending: dict[str, list[QuantityWrite]] = field(default_factory=dict)
    """Accepted and not applied yet, by receipt: `apply` does."""
    refused: Mapping[str, CauseClass] = field(default_factory=dict)
    parcels: list[Shipment] = field(default_factory=list)
    """Every parcel it was told of, each time."""
    parcel_answers: list[WriteResult | Fault] = field(default_factory=list)
    """What it says to the next ones; OK when there is nothing left to say."""
    refunds: list[Refund] = field(default_factory=list)
    refund_answers: list[WriteResult | Fault] = field(default_factory=list)
    look_answers: list[WriteResult | Fault] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    """Every cancellation it was told of, each time."""
    cancel_answers: list[WriteResult | Fault] = field(default_factory=list)

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        return min(pending, self.size)

    def patience_seconds(self, writes: int, *, urgent: bool) -> float:
        return 0.0 if urgent else self.patience

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        await self.before(writes)
        self.batches.append(list(writes))
        results = [self._write(write, urgent) for write in writes]
        await self.after(writes)
        return results

    def _write(self, write: QuantityWrite, urgent: bool) -> WriteResult:
        if write.external_id in self.refused:
            return WriteResult(WriteOutcome.REFUSED, "refused", self.refused[write.external_id])
        if self.accepts_only and not urgent:
            receipt = f"receipt-{len(self.batches)}"
            self.pending.setdefault(receipt, []).append(write)
            return WriteResult(WriteOutcome.ACCEPTED, receipt=receipt)
        place = (write.external_id, write.location)
        if write.expected is not None and self.quantities.get(place) != write.expected:
            return WriteResult(WriteOutcome.STALE)
        self.quantities[place] = write.quantity
        return WriteResult(WriteOutcome.OK)

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        writes = self.pending.pop(receipt, None)
        if writes is None:
            return None
        for write in writes:
            self.quantities[write.external_id, write.location] = write.quantity
        return {write.key: WriteResult(WriteOutcome.OK) for write in writes}

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return [
            Observation(ref.external_id, self.quantities.get((ref.external_id, ref.location)), ref.location)
            for ref in refs
        ]

    async def list_items(self, cursor: str | None = None) -> ItemPage:
        return ItemPage((), None)

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        return OrderPage(tuple(order for order in self.orders if since <= order.placed_at <= until), None)

    async def read_order(self, external_id: str) -> ChannelOrder | None:
        return next((order for order in self.orders if order.external_id == external_id), None)

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult:
        self.parcels.append(shipment)
        return _say(self.parcel_answers)

    async def cancel_order(self, cancellation: Cancellation) -> WriteResult:
        self.cancellations.append(cancellation)
        return _say(self.cancel_answers)

    async def issue_refund(self, refund: Refund) -> WriteResult:
        self.refunds.append(refund)
        return _say(self.refund_answers)

    async def look_refund(self, refund: Refund) -> WriteResult | None:
        return _say(self.look_answers)

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        return InboundEvent(headers["id"], headers["topic"]) if "id" in headers else None

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        return ()


def _say(answers: list[WriteResult | Fault]) -> WriteResult:
    said = answers.pop(0) if answers else WriteResult(WriteOutcome.OK)
    if isinstance(said, Fault):
        raise said
    return said
