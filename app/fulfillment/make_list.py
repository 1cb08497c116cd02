"""Pick lists: several orders picked on one walk through the bins. The walk is planned anew whenever it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.database import Database
from adapters.postgres.idempotency import IdempotentCall
from app.conditions import Conditions
from app.fulfillment.change_work import ring_work
from app.fulfillment.lock_work import Work, lock_work, note_event, set_work
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentAction, FulfillmentStatus, check_action
from domain.identity import Principal
from domain.pick_walk import BinContent, Need, plan_walk
from domain.provenance import Provenance

ORDERS_MAX = 50
_OLDEST = """
SELECT f.id FROM fulfillment_orders f
WHERE f.warehouse_id = $1 AND f.status = 'ACCEPTED' AND f.hold_reason IS NULL AND NOT EXISTS (
  SELECT FROM pick_list_orders x JOIN pick_lists p ON p.id = x.pick_list_id
  WHERE x.fulfillment_order_id = f.id AND p.status = 'OPEN')
ORDER BY f.day NULLS LAST, f.ship_by NULLS LAST, f.id LIMIT $2
"""
_LISTED = """
SELECT EXISTS (SELECT FROM pick_list_orders x JOIN pick_lists p ON p.id = x.pick_list_id
  WHERE x.fulfillment_order_id = $1 AND p.status = 'OPEN')
"""
_MAKE = "INSERT INTO pick_lists (id, warehouse_id, created_by) VALUES ($1, $2, $3)"
_FILL = """
INSERT INTO pick_list_orders (pick_list_id, fulfillment_order_id, position)
SELECT $1, f, n FROM unnest($2::uuid[]) WITH ORDINALITY AS g (f, n)
"""
_LOCK = "SELECT warehouse_id, status FROM pick_lists WHERE id = $1 FOR UPDATE"
_CANCEL = "UPDATE pick_lists SET status = 'CANCELLED', ended_at = clock_timestamp() WHERE id = $1"
_LISTS = """
SELECT p.id, p.warehouse_id, w.code AS warehouse, p.status, p.created_by, p.created_at, p.ended_at
FROM pick_lists p JOIN warehouses w ON w.id = p.warehouse_id
"""
_COUNT = "SELECT count(*) FROM pick_lists p JOIN warehouses w ON w.id = p.warehouse_id"
_ORDERS = """
SELECT x.pick_list_id, x.position, f.id, f.status, o.name FROM pick_list_orders x
JOIN fulfillment_orders f ON f.id = x.fulfillment_order_id JOIN orders o ON o.id = f.order_id
WHERE x.pick_list_id = ANY($1::uuid[]) ORDER BY x.pick_list_id, x.position
"""
_NEEDS = """
SELECT x.pick_list_id, x.position, l.sku_id, s.code, s.barcode, s.title,
  greatest(0, l.quantity - l.cancelled - l.short - l.picked) AS units
FROM pick_list_orders x JOIN fulfillment_orders f ON f.id = x.fulfillment_order_id
JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id JOIN skus s ON s.id = l.sku_id
WHERE x.pick_list_id = ANY($1::uuid[]) AND f.status IN ('ACCEPTED', 'PICKING')
"""
_CONTENTS = """
SELECT b.warehouse_id, z.sequence, z.code AS zone, b.sequence AS place, b.code, c.sku_id, c.quantity
FROM bin_contents c JOIN bins b ON b.id = c.bin_id JOIN zones z ON z.id = b.zone_id
WHERE b.warehouse_id = ANY($1::int[]) AND c.sku_id = ANY($2::int[]) AND b.status = 'ACTIVE' AND c.quantity > 0
"""


async def make_list(
    state: State,
    principal: Principal,
    warehouse: str,
    works: Sequence[UUID] | None,
    orders_max: int,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """A list of these fulfilment orders, or of the most pressing accepted ones; picking of them starts.

    `pick_list` of the answer is its id. Raises `Refusal` WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, INVALID_INPUT,
    TOO_MANY_LINES, and for each FULFILLMENT_ORDER_NOT_FOUND, WRONG_STATE, ALREADY_EXISTS when it is on an open list.
    """

    async def decide(connection: Any) -> Answer:
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        chosen = await _choose_works(connection, house.id, works, orders_max)
        taken = set()
        for work_id in sorted(chosen):
            path = ("fulfillmentOrders", str(chosen.index(work_id)))
            try:
                await _take_on(connection, principal, work_id, house.id, path, provenance)
            except Refusal:
                if works is not None:
                    raise
                continue  # another list was first
            taken.add(work_id)
        chosen = [work_id for work_id in chosen if work_id in taken]
        if not chosen:
            raise _nothing_waits()
        list_id = uuid7()
        await connection.execute(_MAKE, list_id, house.id, provenance.actor)
        await connection.execute(_FILL, list_id, chosen)
        return {"pick_list": str(list_id)}

    answer = await run_once(state.database, call, decide)
    ring_work(state)
    return answer


async def cancel_list(state: State, principal: Principal, list_id: UUID, call: IdempotentCall | None) -> Answer:
    """The list is no more; its orders stay where they are. Raises `Refusal` PICK_LIST_NOT_FOUND, WRONG_STATE."""

    async def decide(connection: Any) -> Answer:
        found = await connection.fetchrow(_LOCK, list_id)
        if found is None or not principal.sees_warehouse(found["warehouse_id"]):
            raise Refusal(RefusalCode.PICK_LIST_NOT_FOUND, "There is no such pick list.", ("id",))
        if found["status"] != "OPEN":
            raise Refusal(RefusalCode.WRONG_STATE, f"The list is {found['status']} already.", ("id",))
        await connection.execute(_CANCEL, list_id)
        return {"pick_list": str(list_id)}

    return await run_once(state.database, call, decide)


def _nothing_waits() -> Refusal:
    message = "No accepted fulfilment order waits there: accept some first."
    return Refusal(RefusalCode.WRONG_STATE, message, ("warehouse",))


async def _choose_works(
    connection: Any, house_id: int, works: Sequence[UUID] | None, orders_max: int
) -> Sequence[UUID]:
    if not 1 <= orders_max <= ORDERS_MAX:
        message = f"A list has from 1 to {ORDERS_MAX} orders."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("ordersMax",))
    if works is None:
        found = [row["id"] for row in await connection.fetch(_OLDEST, house_id, orders_max)]
        if not found:
            raise _nothing_waits()
        return found
    if len(works) > ORDERS_MAX:
        message = f"A list has at most {ORDERS_MAX} orders: make two."
        raise Refusal(RefusalCode.TOO_MANY_LINES, message, ("fulfillmentOrders",))
    if not works or len(set(works)) < len(works):
        message = "Name each fulfilment order once, or leave them out for the most pressing ones."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("fulfillmentOrders",))
    return works


async def _take_on(
    connection: Any, principal: Principal, work_id: UUID, house_id: int, path: tuple[str, ...], provenance: Provenance
) -> None:
    try:
        work = await lock_work(connection, principal, work_id)
        if work.status is not FulfillmentStatus.PICKING:
            check_action(work.status, FulfillmentAction.START_PICKING, work.held)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, path) from None
    if work.warehouse_id != house_id:
        raise Refusal(RefusalCode.INVALID_INPUT, "It is in another warehouse.", path)
    if await connection.fetchval(_LISTED, work_id):
        message = "It is on an open pick list already: cancel that with pickListCancel, or leave it out."
        raise Refusal(RefusalCode.ALREADY_EXISTS, message, path)
    if work.status is not FulfillmentStatus.PICKING:
        await _start(connection, work, provenance)


async def _start(connection: Any, work: Work, provenance: Provenance) -> None:
    await set_work(connection, work.id, status=FulfillmentStatus.PICKING, assignee=provenance.actor)
    at = await connection.fetchval("SELECT now()")
    await note_event(connection, work, provenance, "PICKING", at)


async def read_lists(
    database: Database,
    principal: Principal,
    warehouse: str | None,
    statuses: Sequence[str] | None,
    before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Newest first, before an id, at most `limit`; with orders, and the steps that are left."""
    found = _choose(principal, warehouse, statuses)
    if before is not None:
        found.add("p.id < {}::uuid", before)
    query = f"{_LISTS} {found.where} ORDER BY p.id DESC LIMIT {found.place(limit)}"
    return await _with_steps(database, await database.hot.fetch(query, *found.values))


async def count_lists(
    database: Database, principal: Principal, warehouse: str | None, statuses: Sequence[str] | None
) -> int:
    found = _choose(principal, warehouse, statuses)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_list(database: Database, principal: Principal, list_id: UUID) -> dict[str, Any] | None:
    """One list; None when there is none that the principal may see."""
    found = _choose(principal, None, None)
    found.add("p.id = {}::uuid", list_id)
    lists = await _with_steps(database, await database.hot.fetch(f"{_LISTS} {found.where}", *found.values))
    return lists[0] if lists else None


def _choose(principal: Principal, warehouse: str | None, statuses: Sequence[str] | None) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("p.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    if warehouse is not None:
        found.add("w.code = {}", warehouse)
    if statuses is not None:
        found.add("p.status = ANY({}::text[])", list(statuses))
    return found


async def _with_steps(database: Database, rows: Sequence[Any]) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    orders = await database.hot.fetch(_ORDERS, ids)
    needs = await database.hot.fetch(_NEEDS, ids)
    houses, skus = [row["warehouse_id"] for row in rows], {need["sku_id"] for need in needs}
    contents = await database.hot.fetch(_CONTENTS, houses, list(skus))
    return [
        {
            **dict(row),
            "orders": [order for order in orders if order["pick_list_id"] == row["id"]],
            "steps": _plan_steps(row, needs, contents),
        }
        for row in rows
    ]


def _plan_steps(row: Any, needs: Sequence[Any], contents: Sequence[Any]) -> list[dict[str, Any]]:
    ours = [need for need in needs if need["pick_list_id"] == row["id"]]
    known = {need["sku_id"]: need for need in ours}
    zones = {x["code"]: x["zone"] for x in contents if x["warehouse_id"] == row["warehouse_id"]}
    walk = plan_walk(
        (Need(need["position"], need["sku_id"], need["units"]) for need in ours),
        (
            BinContent((x["sequence"], x["zone"], x["place"], x["code"]), x["code"], x["sku_id"], x["quantity"])
            for x in contents
            if x["warehouse_id"] == row["warehouse_id"]
        ),
    )
    return [
        {
            "zone": None if step.bin is None else zones[step.bin],
            "bin": step.bin,
            "sku": known[step.sku_id]["code"],
            "barcode": known[step.sku_id]["barcode"],
            "title": known[step.sku_id]["title"],
            "position": step.position,
            "quantity": step.units,
        }
        for step in walk
    ]
