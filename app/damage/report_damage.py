"""Report damage: the units leave what is for sale at once, whatever becomes of them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.damage.keep_damage import DamageFound, check_damage, keep_damages
from app.damage.read_damages import answer_damages
from app.floor.find_document import DocumentRef, find_document
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, Leg, perform, post_legs
from app.run_once import Answer
from app.state import State
from app.stock.move_stock import level_answer
from app.transfers.receive_transfer import ArrivalLine, receive_held
from domain.errors import Refusal, RefusalCode
from domain.stock import Book, StockKey, check_quantity


class DamageOrigin(StrEnum):
    """Where it was found. `RECEIVING`: broken on arrival from a supplier. `RETURN`: by inspecting a return."""

    STOCK = "STOCK"
    PICKING = "PICKING"
    RECEIVING = "RECEIVING"
    TRANSIT = "TRANSIT"
    RETURN = "RETURN"


SOURCES = {DamageOrigin.STOCK: "available", DamageOrigin.PICKING: "available", DamageOrigin.RECEIVING: "supplier"}
"""Where the units come from. A picker takes another unit instead of a broken one: what is promised stays promised."""


@dataclass(frozen=True, slots=True)
class DamageLine:
    """SKU code or barcode, units, and the bin from which they were taken."""

    sku: str
    quantity: int
    bin: str | None = None


@dataclass(frozen=True, slots=True)
class DamageWanted:
    """`transfer`: on the way with which transfer, for TRANSIT."""

    warehouse: str
    origin: DamageOrigin
    cause: str
    lines: Sequence[DamageLine]
    evidence: str | None = None
    transfer: DocumentRef | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    warehouse_id: int
    transfer_id: UUID | None
    lines: list[tuple[int, DamageLine]]


async def report_damage(state: State, act: FloorCall, wanted: DamageWanted) -> Answer:
    """`damages` of the answer, one for each line, and `levels`.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, INVALID_INPUT (cause, origin), TOO_MANY_LINES,
    SKU_NOT_FOUND, DUPLICATE_LINE, INVALID_QUANTITY, INSUFFICIENT_STOCK, BIN_NOT_FOUND; of a
    transfer what receiving it refuses.
    """

    async def decide(connection: Any, given: _Prepared, now: datetime.datetime) -> Answer:
        if given.transfer_id is not None:
            return await _report_transit(connection, act, wanted, given, now)
        found = [DamageFound(sku_id, line.quantity, wanted.cause, wanted.evidence) for sku_id, line in given.lines]
        bins = [line.bin for _, line in given.lines]
        book = await _post(connection, act, given.warehouse_id, SOURCES[wanted.origin], found, bins, now)
        ids = await keep_damages(connection, act, given.warehouse_id, wanted.origin.value, found, now)
        levels = [level_answer(key, balance, now) for key, balance in book.changed()]
        return {**await _answer(connection, ids), "levels": levels}

    return await perform(state, act, lambda: _prepare(state, act, wanted), decide)


async def _post(
    connection: Any,
    act: FloorCall,
    warehouse_id: int,
    source: str,
    found: Sequence[DamageFound],
    bins: Sequence[str | None],
    now: datetime.datetime,
) -> Book:
    legs = [
        Leg(
            *(StockKey(one.sku_id, warehouse_id), source, "damaged", one.quantity),
            *(("lines", str(index), "quantity"), f"damage:{one.id}", place),
        )
        for index, (one, place) in enumerate(zip(found, bins, strict=True))
    ]
    return (await post_legs(connection, act, "damage", legs, now))[0]


async def _report_transit(
    connection: Any, act: FloorCall, wanted: DamageWanted, given: _Prepared, now: datetime.datetime
) -> Answer:
    """Found broken on the way: received as damaged with its transfer."""
    assert given.transfer_id is not None
    arrived = [
        (sku_id, ArrivalLine(line.sku, damaged=line.quantity, cause=wanted.cause, evidence=wanted.evidence))
        for sku_id, line in given.lines
    ]
    made = await receive_held(connection, act, given.transfer_id, arrived, now)
    ids = [UUID(one) for one in made["damages"]]
    return {**await _answer(connection, ids), "levels": []}


async def _answer(connection: Any, ids: Sequence[UUID]) -> Answer:
    """All of them; `damage` when it is one, so that it can be named by the key under which it was reported."""
    damages = await answer_damages(connection, ids)
    return {"damages": damages, "damage": damages[0] if len(damages) == 1 else None}


async def _prepare(state: State, act: FloorCall, wanted: DamageWanted) -> _Prepared:
    house = await state.lookup.find_warehouse(wanted.warehouse, act.principal, ("warehouse",))
    check_damage(wanted.cause, wanted.evidence)
    if wanted.origin is DamageOrigin.RETURN:
        raise Refusal(RefusalCode.INVALID_INPUT, "Damage of a return is said when it is inspected.", ("origin",))
    if (wanted.origin is DamageOrigin.TRANSIT) != (wanted.transfer is not None):
        raise Refusal(RefusalCode.INVALID_INPUT, "Name the transfer for TRANSIT, and only then.", ("transfer",))
    transfer_id = None
    if wanted.transfer is not None:
        transfer_id = await find_document(state.database.hot, act.principal, "transfer", wanted.transfer)
    lines = await find_lines(state.lookup, wanted.lines)
    for index, (_, line) in enumerate(lines):
        check_quantity(line.quantity, ("lines", str(index), "quantity"))
        if line.bin is not None and SOURCES.get(wanted.origin) != "available":
            message = "Only from STOCK and PICKING units are taken from a bin."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("lines", str(index), "bin"))
    return _Prepared(house.id, transfer_id, lines)
