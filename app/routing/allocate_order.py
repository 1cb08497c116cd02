"""Promise what an order on record still wants: after a rejection or a short pick, and when stock has arrived."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.documents import Changes, ChangeTable
from adapters.postgres.ledger import Footing
from adapters.postgres.orders import LineRow, OrderRow, see_orders
from adapters.postgres.rows import RowShape
from app.exceptions.resolve_cases import resolve_cases
from app.logs import current_request
from app.orders.write_order import ORDER_EVENTS
from app.routing.carry_out import CapacityMoved, Carried, carry_out
from app.routing.prepare_routing import Prepared, Promise, Want, prepare_routing, to_micros
from app.run_once import Answer
from app.state import State
from app.stock.run_commands import Decision
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.orders import LineCounts, order_status
from domain.provenance import Provenance, Remarks
from domain.routing.problem import Wanted
from domain.stock import Book, DayKey, StockKey

ATTEMPTS_MAX = 4
BACKORDER = "BACKORDER"
"""The trigger that comes again and again: its decisions are kept only when they promise something."""
CLOSED = frozenset(("CANCELLED", "SHIPPED"))
LINES = ChangeTable(
    RowShape((("order_id", "uuid"), ("line", "int"), ("units", "int"))),
    "UPDATE order_lines l SET allocated = l.allocated + g.units FROM g "
    "WHERE l.order_id = g.order_id AND l.line = g.line",
)
STATES = ChangeTable(
    RowShape((("id", "uuid"), ("status", "text"), ("problem", "text"))),
    "UPDATE orders o SET status = g.status, problem = g.problem, version = o.version + 1, updated_at = now() "
    "FROM g WHERE o.id = g.id",
)


@dataclass(frozen=True, slots=True)
class FillOrder:
    """The open rest of an order on record. `barred`: warehouses left out, besides those that rejected it."""

    id: UUID
    prepared: Prepared
    footing: Footing
    trigger: str
    barred: Mapping[int, str] = field(default_factory=dict)
    strict: bool = False
    plans_work: bool = True
    call: None = None

    @property
    def exclusive(self) -> Hashable | None:
        return ("order", self.id)

    @property
    def order_id(self) -> UUID | None:
        return self.id

    def keys(self) -> Iterable[StockKey]:
        return self.prepared.keys(self.prepared.skus.keys())

    def days(self) -> Iterable[DayKey]:
        return self.prepared.locks

    def footing_of(self, index: int) -> Footing:
        return self.footing

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Nothing when nothing of it is open any more. Raises `Refusal` ORDER_NOT_FOUND."""
        order: OrderRow | None = book.locked.get(self.id)
        if order is None:
            raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.")
        lines = [] if order.status in CLOSED else self._wanted(order)
        want = Want(self.id, lines, self.trigger, {**order.barred, **self.barred}, order.scheduled)
        carried = carry_out(self.prepared, want, book, now, strict=self.strict)
        return _decide(order, carried, self.trigger, self.footing.provenance.actor)

    def _wanted(self, order: OrderRow) -> list[Wanted]:
        skus = self.prepared.skus
        return [
            Wanted(line.line, line.sku_id, line.backordered, skus[line.sku_id].weight_grams, skus[line.sku_id].tags)
            for line in order.lines
            if line.backordered > 0 and line.sku_id is not None and line.sku_id in skus
        ]


def _decide(order: OrderRow, carried: Carried, trigger: str, actor: str) -> Decision:
    allocated = carried.allocated
    lines = [line._replace(allocated=line.allocated + allocated.get(line.line, 0)) for line in order.lines]
    status = order_status(LineCounts(*line[3:]) for line in lines) if lines else order.status
    problem = explain_waiting(lines)
    answer = {
        "id": str(order.id),
        "status": str(status),
        "problem": problem,
        "allocations": carried.allocations,
        "waiting": sum(line.backordered for line in lines),
    }
    if not allocated:
        changed = order.status not in CLOSED and problem != order.problem
        rows = {} if trigger == BACKORDER else carried.rows
        return Decision(answer, rows, changes={STATES: [(order.id, str(status), problem)]} if changed else {})
    note = orjson.dumps({"trigger": trigger, "allocated": {str(line): n for line, n in allocated.items()}}).decode()
    written: dict[Any, Any] = {**carried.rows, ORDER_EVENTS: [(order.id, actor, "ALLOCATED", None, note)]}
    changes: Changes = {
        **carried.changes,
        LINES: [(order.id, line, units) for line, units in allocated.items()],
        STATES: [(order.id, str(status), problem)],
    }
    return Decision(answer, written, changes=changes)


def explain_waiting(lines: Iterable[LineRow]) -> str | None:
    """The order's problem: what of it nothing can fill. None when all is promised."""
    missing = [
        f"{line.name}: {line.backordered} missing ({line.quantity - line.cancelled} ordered)"
        if line.sku_id is not None
        else f"{line.name}: no such SKU, {line.backordered} missing"
        for line in lines
        if line.backordered > 0
    ]
    return "; ".join(missing) or None


async def allocate_order(
    state: State, order_id: UUID, trigger: str = "REROUTED", barred: Mapping[int, str] | None = None
) -> Answer:
    """Allocate the open rest of an order: `status`, `problem`, `allocations` and the units still `waiting`.

    Warehouses that rejected it are left out. An oversell case of the order is resolved when all of it is promised.
    Safe to call at any time. Raises `Refusal` ORDER_NOT_FOUND.
    """
    order = (await see_orders(state.database.hot, [order_id])).get(order_id)
    if order is None:
        raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.")
    footing = Footing(
        Provenance("system", request_id=current_request()),
        Remarks("ORDER", reference=order.name),
        document=f"order:{order_id}",
    )
    for attempt in range(1, ATTEMPTS_MAX + 1):
        prepared = await prepare_order(state, order)
        strict = attempt == ATTEMPTS_MAX
        try:
            answer = await state.combiner.submit(
                FillOrder(order_id, prepared, footing, trigger, barred or {}, strict=strict)
            )
        except CapacityMoved:
            state.routing.forget()
            continue
        if answer["allocations"] and not answer["waiting"]:
            await _resolve(state, order_id)
        return answer
    raise CapacityMoved


async def prepare_order(state: State, order: OrderRow) -> Prepared:
    """What routing needs for an order on record."""
    goal = order.destination
    place = await state.places.find(goal)
    promise = Promise(
        await state.routing.channel(order.channel_id),
        goal.get("country"),
        place.region_code,
        value_micros=to_micros(order.total),
        currency=order.currency,
        ship_by=order.ship_by,
        deliver_by=order.deliver_by,
        precision=place.precision,
    )
    skus = {line.sku_id for line in order.lines if line.sku_id is not None and line.backordered > 0}
    return await prepare_routing(state.routing, order.channel_id, skus, promise, place, goal.get("postal_code"))


async def _resolve(state: State, order_id: UUID) -> None:
    proof = {f"order:{order_id}": {"allocated": True, "at": datetime.datetime.now(datetime.UTC)}}
    async with state.database.hot.acquire() as connection, connection.transaction():
        await resolve_cases(connection, (CaseKind.OVERSELL.value,), proof)
    state.doorbell.ring("feed")
