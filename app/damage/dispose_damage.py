"""Dispose of damaged units: repaired they are for sale again; scrapped or sent back they are gone."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.approvals.ask_approval import Asker, Move, adjustment_row, keep_adjustment
from app.approvals.lookup_policies import read_costs
from app.bins.place_units import bin_not_found, lock_bins
from app.damage.count_disposal import COLUMNS
from app.damage.read_damages import answer_damages
from app.floor.find_document import DocumentRef, find_document, not_found
from app.floor.perform import FloorCall, Leg, perform, post_legs
from app.run_once import Answer
from app.state import State
from app.stock.move_stock import level_answer
from domain.approvals import ApprovalKind, Guard, measure_value
from domain.errors import Refusal, RefusalCode
from domain.stock import StockKey, check_quantity

_LOCK = """
SELECT id, warehouse_id, sku_id, quantity - repaired - scrapped - sent_back - waiting AS open
FROM damages WHERE id = $1 FOR UPDATE
"""
_SKU = "SELECT sku_id FROM damages WHERE id = $1"
_WAIT = "UPDATE damages SET waiting = waiting + $2 WHERE id = $1"


class Disposal(StrEnum):
    REPAIR = "REPAIR"
    SCRAP = "SCRAP"
    RETURN_TO_VENDOR = "RETURN_TO_VENDOR"


TARGETS = {Disposal.REPAIR: "available", Disposal.SCRAP: "scrap", Disposal.RETURN_TO_VENDOR: "supplier"}


@dataclass(frozen=True, slots=True)
class DisposalWanted:
    """`bin`: into which repaired units go; None: they stand on the floor."""

    how: Disposal
    quantity: int
    bin: str | None = None


async def dispose_damage(state: State, act: FloorCall, ref: DocumentRef, wanted: DisposalWanted) -> Answer:
    """`damage` and `levels` of the answer; above what the caller may do alone nothing moves, and `adjustment` waits.

    Raises `Refusal` INVALID_QUANTITY (more than is left), INVALID_INPUT (a bin for what is not repaired, a blocked
    one), DAMAGE_NOT_FOUND, BIN_NOT_FOUND, BIN_FULL, INSUFFICIENT_STOCK (somebody has taken the units out of `damaged`
    by other means).
    """
    how, quantity = wanted.how, wanted.quantity

    async def prepare() -> tuple[UUID, Guard | None]:
        check_quantity(quantity, ("quantity",))
        if wanted.bin is not None and how is not Disposal.REPAIR:
            raise Refusal(RefusalCode.INVALID_INPUT, "Only what is repaired goes into a bin.", ("bin",))
        damage_id = await find_document(state.database.hot, act.principal, "damage", ref)
        sku_id = await state.database.hot.fetchval(_SKU, damage_id)
        skus = [] if sku_id is None else [sku_id]
        return damage_id, await state.policies.guard(ApprovalKind.DISPOSAL, act.principal, skus)

    async def decide(connection: Any, given: tuple[UUID, Guard | None], now: datetime.datetime) -> Answer:
        damage_id, guard = given
        row = await connection.fetchrow(_LOCK, damage_id)
        if row is None or not act.principal.sees_warehouse(row["warehouse_id"]):
            raise not_found("damage")
        if quantity > row["open"]:
            message = f"Only {row['open']} units of it are left to be disposed of."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, ("quantity",))
        if guard is not None and guard.exceeded([(row["sku_id"], quantity)]):
            return await _ask(connection, act, row, wanted, now)
        key = StockKey(row["sku_id"], row["warehouse_id"])
        leg = Leg(key, "damaged", TARGETS[how], quantity, ("quantity",), bin=wanted.bin)
        book, ids = await post_legs(connection, act, f"damage:{damage_id}", [leg], now)
        column = COLUMNS[how.value]
        await connection.execute(f"UPDATE damages SET {column} = {column} + $2 WHERE id = $1", damage_id, quantity)  # noqa: S608
        levels = [level_answer(key, balance, now) for key, balance in book.changed()]
        (damage,) = await answer_damages(connection, [damage_id])
        return {"damage": damage, "levels": levels, "movements": ids, "adjustment": None}

    return await perform(state, act, prepare, decide)


async def _ask(connection: Any, act: FloorCall, row: Any, wanted: DisposalWanted, now: datetime.datetime) -> Answer:
    house, place = row["warehouse_id"], wanted.bin
    if place is not None and place not in await lock_bins(connection, house, [place]):
        raise bin_not_found(place, ("bin",))
    adjustment_id = uuid7()
    moves = [Move(row["sku_id"], "damaged", TARGETS[wanted.how], wanted.quantity, place)]
    value = measure_value([(row["sku_id"], wanted.quantity)], await read_costs(connection, [row["sku_id"]]))
    asker = Asker(act.principal.id, act.principal.name)
    asked = adjustment_row(
        *(adjustment_id, "DISPOSAL", house, moves, value),
        *(act.remarks, asker, act.occurred_at, now),
        disposal=(row["id"], wanted.how.value),
    )
    await keep_adjustment(connection, asked)
    await connection.execute(_WAIT, row["id"], wanted.quantity)
    (damage,) = await answer_damages(connection, [row["id"]])
    return {"damage": damage, "levels": [], "movements": [], "adjustment": {"id": str(adjustment_id)}}
