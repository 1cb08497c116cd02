"""Place an order: decide where it is filled from and promise it there, in one atomic step with recording it.

What nothing can fill is BACKORDERED: it is promised by itself when stock arrives (`app/routing/fill_backorders.py`).
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder
from adapters.postgres.idempotency import IdempotentCall, hash_input
from adapters.postgres.ledger import Footing
from app.logs import current_request
from app.orders.keep_contact import read_contact, seal_contact, write_destination
from app.orders.write_order import ORDERS, NewOrder, OrderLine
from app.routing.carry_out import CapacityMoved, carry_out
from app.routing.prepare_routing import Prepared, Promise, Want, prepare_routing, to_micros
from app.run_once import Answer
from app.state import State
from app.stock.run_commands import Decision
from domain.errors import Fault
from domain.provenance import Provenance, Remarks
from domain.routing.problem import Wanted
from domain.stock import Book, DayKey, StockKey

STATUS = [name for name, _ in ORDERS.shape.columns].index("status")
ATTEMPTS_MAX = 4
"""Days fill while an order is prepared; the last attempt makes do with those that it locked."""


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A new order to be routed. `strict`: only days that are locked are there."""

    new: NewOrder
    prepared: Prepared
    footing: Footing
    call: IdempotentCall | None
    strict: bool = False
    plans_work: Literal[True] = True

    @property
    def exclusive(self) -> Hashable | None:
        return (self.new.channel_id, self.new.order.external_id)

    def orders(self) -> Iterable[UUID]:
        """The order is not on record yet: nothing to lock."""
        return ()

    def keys(self) -> Iterable[StockKey]:
        return self.prepared.keys({line.sku_id for line in self.new.lines if line.sku_id is not None})

    def days(self) -> Iterable[DayKey]:
        return self.prepared.locks

    def footing_of(self, index: int) -> Footing:
        return self.footing

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Post what can be filled from available to committed; the rest becomes the order's problem."""
        want = Want(self.new.id, self._wanted(), "PLACED")
        carried = carry_out(self.prepared, want, book, now, strict=self.strict)
        problems = [
            f"{name_line(line)}: no such SKU, {line.wanted} missing"
            if line.sku_id is None
            else f"{name_line(line)}: {carried.waiting[number]} missing ({line.sold.quantity} ordered)"
            for number, line in enumerate(self.new.lines)
            if (line.sku_id is None and line.wanted) or number in carried.waiting
        ]
        problem = "; ".join(problems) or None
        documents = {**self.new.record(carried.allocated, problem), **carried.rows}
        status = documents[ORDERS][0][STATUS]
        answer = {"id": str(self.new.id), "status": status, "problem": problem, "allocations": carried.allocations}
        return Decision(answer, documents)

    def _wanted(self) -> list[Wanted]:
        skus = self.prepared.skus
        return [
            skus[line.sku_id].want(number, line.sku_id, line.wanted, line.sold.part)
            for number, line in enumerate(self.new.lines)
            if line.sku_id is not None and line.sku_id in skus and line.wanted
        ]


def name_line(line: OrderLine) -> str:
    """What people know a line by."""
    return line.sold.sku or line.sold.title or line.sold.external_id


async def place_order(
    state: State,
    channel_id: int,
    order: ChannelOrder,
    *,
    order_id: UUID | None = None,
    provenance: Provenance | None = None,
    call: IdempotentCall | None = None,
) -> Answer:
    """Record and allocate the order once; the same external id again answers the first result.

    `order_id`: of the new order; the answer has another `id` when it is on record already. `provenance` and `call`:
    of whoever orders through our own API, where nothing but the key answers twice: a second order of the same
    external id is a unique violation.
    """
    skus = await state.lookup.find_skus(line.sku for line in order.lines if line.sku)
    if provenance is None:
        who = f"channel:{channel_id}"
        provenance = Provenance(who, None, current_request(), order.external_id)
        call = IdempotentCall(who, order.external_id, "orderPlace", hash_input({"order": order.external_id}))
    lines = tuple(OrderLine(line, skus.get(line.sku) if line.sku else None) for line in order.lines)
    sealed = seal_contact(state.settings, read_contact(order))
    new = NewOrder(order_id or uuid7(), channel_id, order, lines, sealed, provenance.actor)
    footing = Footing(provenance, Remarks("ORDER", reference=order.name), document=f"order:{new.id}")

    async def place(attempt: int) -> Answer:
        return await state.combiner.submit(await prepare_place(state, new, footing, call, attempt))

    return await place_again(state, place)


async def place_again(state: State, place: Callable[[int], Awaitable[Answer]]) -> Answer:
    """What `place` answers, given its attempt, from 1. Raises a transient `Fault` when the last one found no day."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await place(attempt)
        except CapacityMoved:
            state.routing.forget()
    raise Fault("The warehouses' days fill faster than they are read: try again.", transient=True)


async def prepare_place(
    state: State, new: NewOrder, footing: Footing, call: IdempotentCall | None, attempt: int
) -> PlaceOrder:
    """The command that places it, with all that routing must know; the last attempt makes do with its locks."""
    prepared = await _prepare(state, new, attempt)
    return PlaceOrder(new, prepared, footing, call, strict=attempt == ATTEMPTS_MAX)


async def _prepare(state: State, new: NewOrder, attempt: int) -> Prepared:
    order, goal = new.order, write_destination(new.order)
    place = await state.places.find(goal)
    promise = Promise(
        await state.routing.channel(new.channel_id),
        goal.get("country"),
        place.region_code,
        value_micros=to_micros(order.total),
        currency=order.currency,
        ship_by=order.ship_by,
        deliver_by=order.deliver_by,
        precision=place.precision,
    )
    skus = {line.sku_id for line in new.lines if line.sku_id is not None}
    code = goal.get("postal_code")
    return await prepare_routing(state.routing, new.channel_id, skus, promise, place, code, attempt)
