"""Receive a return at the dock: announced, in parts, or out of the blue.

What is in the parcel is on hand from here on, for nobody to buy until it is inspected. A parcel is never refused for
being wrong: it is there. What is odd about it is a case for people.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.floor.find_document import DocumentRef, find_document
from app.floor.find_lines import check_unique
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.returns.authorize_return import NO_ORDER, OrderName
from app.returns.count_sold import OrderSold, count_sold, find_order
from app.returns.hold_return import keep_lines, keep_return, lock_return, note_mismatch
from app.returns.make_return import ReturnHead, make_return
from app.returns.split_kits import split_kits
from app.returns.suspect_mispick import suspect_mispick
from app.run_once import Answer
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.returns import ARRIVES_IN, Finding, ReturnLine, ReturnOrigin, check_open
from domain.stock import check_quantity

_HOUSE = "SELECT order_id, channel_id FROM returns WHERE id = $1"


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """Units of a SKU by code or barcode; or of something that nobody knows, in words."""

    quantity: int
    sku: str | None = None
    unknown_item: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """`ref` None: nobody announced it, and then `warehouse` says where it is."""

    lines: Sequence[ReceivedLine]
    ref: DocumentRef | None = None
    warehouse: str | None = None
    order: OrderName = NO_ORDER
    order_reference: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    return_id: UUID | None
    warehouse_id: int | None
    order_id: UUID | None
    lines: list[tuple[int | None, ReceivedLine, int]]


async def receive_return(state: State, act: FloorCall, parcel: Parcel) -> Answer:
    """Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE, WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, ORDER_NOT_FOUND,
    INVALID_INPUT, TOO_MANY_LINES, INVALID_QUANTITY, SKU_NOT_FOUND, DUPLICATE_LINE.

    A wrong item, one never sold, and more than was announced are received with a case RETURN_MISMATCH.
    """

    async def decide(connection: Any, given: _Prepared, now: datetime.datetime) -> Answer:
        at = act.at(now)
        order_id = given.order_id
        if given.return_id is not None:
            order_id = await connection.fetchval(_HOUSE, given.return_id)
        sold = None if order_id is None else await count_sold(connection, order_id, given.return_id)
        return_id = given.return_id or await _take_in(connection, act, given, parcel, at)
        held = await lock_return(connection, act.principal, return_id)
        refuse_end(act.principal, held.warehouse_id, "receive it")
        check_open(held.state, "receive")
        announced = given.return_id is not None
        received, odd, descriptions = _count(held.lines, given.lines, sold, announced)
        legs = [
            Leg(held.key(sku_id), "customer", ARRIVES_IN, line.quantity, ("lines", str(index), "quantity"))
            for sku_id, line, index in given.lines
            if sku_id is not None
        ]
        await post_legs(connection, act, held.document, legs, now)
        await keep_lines(connection, held.id, received, descriptions)
        await note_mismatch(connection, held, odd)
        await suspect_mispick(connection, held, order_id, received)
        return await keep_return(connection, held, received, {"received_at": at}, now)

    return await perform(state, act, lambda: _prepare(state, act, parcel), decide)


async def _prepare(state: State, act: FloorCall, parcel: Parcel) -> _Prepared:
    return_id = warehouse_id = order_id = None
    if parcel.ref is not None:
        return_id = await find_document(state.database.hot, act.principal, "return", parcel.ref)
    elif parcel.warehouse is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "Say which return it is, or at which warehouse it came.", ("id",))
    else:
        warehouse_id = (await state.lookup.find_warehouse(parcel.warehouse, act.principal, ("warehouse",))).id
        name = parcel.order
        order_id = await find_order(state, act.principal, name.id, name.channel, name.external_id)
    check_text(parcel.order_reference, "orderReference", 200)
    return _Prepared(return_id, warehouse_id, order_id, await _find_skus(state, parcel.lines))


async def _find_skus(state: State, lines: Sequence[ReceivedLine]) -> list[tuple[int | None, ReceivedLine, int]]:
    check_line_count(len(lines))
    skus = await state.lookup.find_skus(line.sku for line in lines if line.sku is not None)
    found: list[tuple[int | None, ReceivedLine]] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        check_quantity(line.quantity, (*path, "quantity"))
        if (line.sku is None) == (line.unknown_item is None or not line.unknown_item.strip()):
            message = "Give its code, or say in words what it is when nobody knows it."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "sku"))
        check_text(line.unknown_item, "unknownItem", path=path)
        if line.sku is not None and line.sku not in skus:
            raise sku_not_found(line.sku, (*path, "sku"))
        found.append((None if line.sku is None else skus[line.sku], line))
    check_unique(sku_id if sku_id is not None else -index - 1 for index, (sku_id, _) in enumerate(found))
    return await split_kits(state.database.hot, found)


async def _take_in(connection: Any, act: FloorCall, given: _Prepared, parcel: Parcel, at: datetime.datetime) -> UUID:
    assert given.warehouse_id is not None
    head = ReturnHead(
        *(ReturnOrigin.DOCK, given.warehouse_id, act.provenance.actor, at),
        reason=act.remarks.reason,
        note=act.remarks.note,
        order_id=given.order_id,
        order_reference=parcel.order_reference or act.remarks.reference,
    )
    return await make_return(connection, head, [], at)


def _count(
    lines: Iterable[ReturnLine],
    parcel: Sequence[tuple[int | None, ReceivedLine, int]],
    sold: OrderSold | None,
    announced: bool,
) -> tuple[list[ReturnLine], list[str], dict[int, str]]:
    """All lines after the parcel, a sentence for each thing that is odd about it, and words for what nobody knows."""
    kept = {line.line: line for line in lines}
    by_sku = {line.sku_id: line for line in kept.values() if line.sku_id is not None}
    odd: list[str] = []
    descriptions: dict[int, str] = {}
    for sku_id, found, _ in parcel:
        line = by_sku.get(sku_id) if sku_id is not None else None
        if line is None:
            finding = _judge(sku_id, sold, announced)
            line = ReturnLine(len(kept), sku_id, 0, finding=finding)
            if sku_id is None:
                descriptions[line.line] = found.unknown_item or ""
        received = replace(line, received=line.received + found.quantity)
        kept[line.line] = received
        odd += _describe(received, found, sold, announced)
    return list(kept.values()), odd, descriptions


def _judge(sku_id: int | None, sold: OrderSold | None, announced: bool) -> Finding:
    """What a line is that nobody announced."""
    if sku_id is None:
        return Finding.UNKNOWN_ITEM
    if sold is not None and sku_id not in sold.sold:
        return Finding.NOT_SOLD
    return Finding.WRONG_ITEM if announced else Finding.UNANNOUNCED


def _describe(line: ReturnLine, found: ReceivedLine, sold: OrderSold | None, announced: bool) -> list[str]:
    name = found.sku or found.unknown_item
    if line.finding is Finding.UNKNOWN_ITEM:
        return [f"unknown item: {found.quantity} of {name!r}"]
    if line.finding is Finding.NOT_SOLD:
        return [f"never sold with the order: {found.quantity} of {name}"]
    if line.finding is Finding.WRONG_ITEM:
        return [f"wrong item: {found.quantity} of {name}"]
    if announced and line.received > line.authorized:
        return [f"over-return: {line.received} of {name} came, {line.authorized} were announced"]
    if sold is not None and line.sku_id is not None and line.received > sold.left(line.sku_id):
        return [f"over-return: {line.received} of {name} came, {sold.left(line.sku_id)} can come back of the order"]
    return []
