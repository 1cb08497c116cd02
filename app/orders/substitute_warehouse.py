"""Ship what an order lacks from another warehouse: from there at once where the policy lets it, else by a transfer."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import lock_rows
from adapters.postgres.orders import OrderRow, see_orders
from app.floor.find_document import write_label
from app.floor.perform import FloorCall
from app.orders.await_transfer import find_coming
from app.orders.lock_order import OrderNow
from app.orders.promise_units import Promise, promise_units
from app.routing.allocate_order import prepare_order
from app.routing.prepare_routing import Want, place_house
from app.routing.read_facts import House
from app.state import State
from app.transfers.create_transfer import NewTransfer, write_transfer
from domain.approvals import ApprovalKind, Guard
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.routing.filter_sites import may_fill
from domain.routing.problem import Problem
from domain.routing.route import rank_sites
from domain.stock import Book, StockKey

_NUMBER = "SELECT number FROM transfers WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Way:
    """`destination_id`: where the units go first, by a transfer that is held against `guard`; None: nowhere."""

    source_id: int
    source: str
    destination_id: int | None
    destination: str | None
    guard: Guard | None


async def choose_way(
    state: State, principal: Principal, order_id: UUID, warehouse: str | None, ship_from: str | None
) -> Way | Refusal:
    """What would be done, looked up before the transaction; a refusal is told in its turn.

    By a transfer when `ship_from` names another warehouse, or the policy would not let `warehouse` fill the order; then
    to the nearest one that sells on its channel and may.
    """
    try:
        if warehouse is None:
            raise Refusal(RefusalCode.INVALID_INPUT, "Say from which warehouse.", ("warehouse",))
        source = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        order = (await see_orders(state.database.hot, [order_id])).get(order_id)
        if order is None:
            raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("id",))
        houses = await state.routing.houses()
        target = await _find_target(state, principal, order, houses[source.id], ship_from)
        if target is None:
            return Way(source.id, source.code, None, None, None)
        skus = [line.sku_id for line in order.lines if line.sku_id is not None and line.backordered > 0]
        guard = await state.policies.guard(ApprovalKind.TRANSFER, principal, skus)
        return Way(source.id, source.code, target[0], target[1], guard)
    except Refusal as refusal:
        return refusal


async def _find_target(
    state: State, principal: Principal, order: OrderRow, source: House, ship_from: str | None
) -> tuple[int, str] | None:
    if ship_from is not None:
        named = await state.lookup.find_warehouse(ship_from, principal, ("shipFrom",))
        return None if named.id == source.id else (named.id, named.code)
    problem = await _see_problem(state, order, source)
    _, policy = await state.routing.policy()
    allowed = [site for site in rank_sites(problem.sites) if may_fill(policy, problem, site)]
    if any(site.id == source.id for site in allowed):
        return None
    if not allowed:
        message = f"The policy lets neither {source.code} nor a warehouse of the order's channel ship it: say shipFrom."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("shipFrom",))
    return allowed[0].id, allowed[0].code


async def _see_problem(state: State, order: OrderRow, source: House) -> Problem:
    """The order as routing would see it, if its channel sold from `source` too, whom the operator means."""
    prepared = await prepare_order(state, order)
    if all(house.id != source.id for house, _ in prepared.houses):
        place = await state.places.find(order.destination)
        prepared = replace(prepared, houses=(*prepared.houses, place_house(source, place)))
    barred = {house: why for house, why in order.barred.items() if house != source.id}
    lines = [
        prepared.skus[line.sku_id].want(line.line, line.sku_id, line.backordered, line.part)
        for line in order.lines
        if line.sku_id is not None and line.sku_id in prepared.skus and line.backordered > 0
    ]
    now = datetime.datetime.now(datetime.UTC)
    return prepared.problem(Want(order.id, lines, "SUBSTITUTED", barred), Book({}), now, strict=False)


async def substitute_warehouse(
    connection: Any, principal: Principal, order: OrderNow, way: Way, provenance: Provenance
) -> str | None:
    """All that is missing, or nothing; the label of the transfer that brings it, if it takes one.

    Raises `Refusal` WRONG_STATE when one is on its way already, SKU_NOT_FOUND, INSUFFICIENT_STOCK.
    """
    coming = await find_coming(connection, order.id)
    if coming is not None:
        message = f"The order waits for {write_label('transfer', coming)}: cancel that first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    skus = {number: _known(order, number) for number in order.backordered}
    if way.destination_id is None:
        promises = [Promise(number, way.source_id, units) for number, units in order.backordered.items()]
        book = await lock_rows(connection, [StockKey(sku, way.source_id) for sku in skus.values()])
        await promise_units(connection, order, book, promises, "ORDER", provenance)
        return None
    return await _transfer(connection, principal, order, way, way.destination_id, skus, provenance)


async def _transfer(
    connection: Any,
    principal: Principal,
    order: OrderNow,
    way: Way,
    destination_id: int,
    skus: Mapping[int, int],
    provenance: Provenance,
) -> str:
    units: Counter[int] = Counter()
    for number, count in order.backordered.items():
        units[skus[number]] += count
    act = FloorCall(principal, provenance, Remarks("TRANSFER", reference=order.label), None)
    given = NewTransfer(way.source_id, destination_id, sorted(units.items()), way.guard, order_id=order.id)
    transfer_id = await write_transfer(connection, act, given, datetime.datetime.now(datetime.UTC))
    return write_label("transfer", await connection.fetchval(_NUMBER, transfer_id))


def _known(order: OrderNow, number: int) -> int:
    line = order.lines[number]
    if line.sku_id is None:
        message = f"Nobody knows what {line.external_id} is: map its SKU first."
        raise Refusal(RefusalCode.SKU_NOT_FOUND, message, ("id",))
    return line.sku_id
