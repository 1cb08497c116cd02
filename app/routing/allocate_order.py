"""Promise what an order on record still wants: after a rejection or a short pick, and when stock has arrived."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing
from adapters.postgres.orders import OrderRow, see_orders
from app.exceptions.resolve_cases import resolve_cases
from app.logs import current_request
from app.routing.carry_out import CapacityMoved
from app.routing.fill_order import FillOrder
from app.routing.prepare_routing import Prepared, Promise, prepare_routing, to_micros
from app.run_once import Answer
from app.state import State
from domain.errors import Fault, Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.provenance import Provenance, Remarks
from domain.stock import DayKey, StockKey

ATTEMPTS_MAX = 4


async def allocate_order(
    state: State,
    order_id: UUID,
    trigger: str = "REROUTED",
    barred: Mapping[int, str] | None = None,
    *,
    anew: bool = False,
    provenance: Provenance | None = None,
    call: IdempotentCall | None = None,
) -> Answer:
    """Allocate the open rest of an order: `status`, `problem`, `allocations` and the units still `waiting`.

    `anew`: first take back what is promised by work that is not released yet, if something better comes of it.
    Warehouses that rejected the order are left out. Its oversell case is resolved when all of it is promised. Safe to
    call at any time. Raises `Refusal` ORDER_NOT_FOUND.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        order = (await see_orders(state.database.hot, [order_id])).get(order_id)
        if order is None:
            raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.")
        who = provenance or Provenance("system", request_id=current_request())
        footing = Footing(who, Remarks("ORDER", reference=order.name), document=f"order:{order_id}")
        command = FillOrder(
            order_id,
            await prepare_order(state, order, anew=anew, attempt=attempt),
            footing,
            trigger,
            barred or {},
            anew,
            *(_bound(order) if anew else (frozenset[StockKey](), frozenset[DayKey]())),
            strict=attempt == ATTEMPTS_MAX,
            call=call,
        )
        try:
            answer = await state.combiner.submit(command)
        except CapacityMoved:
            state.routing.forget()
            continue
        if answer["allocations"] and not answer["waiting"]:
            await _resolve(state, order_id)
        return answer
    raise Fault("The warehouses' days fill faster than they are read: try again.", transient=True)


def _bound(order: OrderRow) -> tuple[frozenset[StockKey], frozenset[DayKey]]:
    """Stock and days that the order's scheduled work binds."""
    keys = {StockKey(sku_id, work.warehouse_id) for work in order.scheduled for _, sku_id, _ in work.units}
    days = {DayKey(work.warehouse_id, work.day) for work in order.scheduled if work.day is not None}
    return frozenset(keys), frozenset(days)


async def prepare_order(state: State, order: OrderRow, *, anew: bool = False, attempt: int = 1) -> Prepared:
    """What routing needs for an order on record; with `anew` also for what is promised already."""
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
    skus = {
        line.sku_id
        for line in order.lines
        if line.sku_id is not None and (line.backordered > 0 or (anew and line.allocated > 0))
    }
    code = goal.get("postal_code")
    return await prepare_routing(state.routing, order.channel_id, skus, promise, place, code, attempt)


async def _resolve(state: State, order_id: UUID) -> None:
    proof = {f"order:{order_id}": {"allocated": True, "at": datetime.datetime.now(datetime.UTC)}}
    async with state.database.hot.acquire() as connection, connection.transaction():
        await resolve_cases(connection, (CaseKind.OVERSELL.value,), proof)
    state.doorbell.ring("feed")
