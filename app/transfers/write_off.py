"""Give up what a transfer still has on the way: its units are lost, and it ends."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from uuid_utils.compat import uuid7

from app.approvals.ask_approval import Asker, Move, adjustment_row, keep_adjustment
from app.approvals.lookup_policies import read_costs
from app.floor.find_document import write_label
from app.floor.perform import FloorCall, Leg, post_legs
from app.run_once import Answer
from app.transfers.hold_transfer import HeldTransfer, end_cases, keep_transfer
from app.transfers.read_transfers import answer_transfer
from domain.approvals import measure_value
from domain.errors import Refusal, RefusalCode
from domain.transfers import TransferAction, TransferState, next_state

_PENDING = "SELECT number FROM adjustments WHERE transfer_id = $1 AND state = 'PENDING'"


def house_of_loss(held: HeldTransfer) -> int:
    """Where the units are on the way to, and leave the books."""
    return held.source_id if held.state is TransferState.RETURNING else held.destination_id


def lost_units(held: HeldTransfer) -> list[tuple[int, int]]:
    """(SKU id, units) that have not arrived."""
    return [(line.sku_id, line.afloat) for line in held.lines if line.afloat]


async def write_off(connection: Any, act: FloorCall, held: HeldTransfer, now: datetime.datetime) -> Answer:
    """`transfer` of the answer. Raises `Refusal` WRONG_STATE."""
    status = next_state(held.state, TransferAction.CLOSE)
    key = held.at_source if held.state is TransferState.RETURNING else held.at_destination
    legs = [Leg(key(sku_id), "in_transit", "adjustment", units) for sku_id, units in lost_units(held)]
    await post_legs(connection, act, held.document, legs, now)
    lines = [replace(line, written_off=line.written_off + line.afloat, missing=0) for line in held.lines]
    await end_cases(connection, held, status, now)
    return await keep_transfer(connection, held, status, lines, {"ended_at": act.at(now)})


async def refuse_waiting(connection: Any, held: HeldTransfer) -> None:
    """Raises `Refusal` WRONG_STATE when somebody asked for it already."""
    number = await connection.fetchval(_PENDING, held.id)
    if number is not None:
        label = write_label("adjustment", number)
        message = f"{label} waits for a second person to write off what is missing: approve or reject it."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


async def ask_write_off(
    connection: Any, act: FloorCall, held: HeldTransfer, lost: Sequence[tuple[int, int]], now: datetime.datetime
) -> Answer:
    """Nothing moves: `adjustment` of the answer waits for a second person, and `transfer` is as it was."""
    adjustment_id = uuid7()
    moves = [Move(sku_id, "in_transit", "adjustment", units) for sku_id, units in lost]
    value = measure_value(lost, await read_costs(connection, (sku_id for sku_id, _ in lost)))
    row = adjustment_row(
        *(adjustment_id, "TRANSFER", house_of_loss(held), moves, value),
        *(act.remarks, Asker(act.principal.id, act.principal.name), act.occurred_at, now),
        transfer_id=held.id,
    )
    await keep_adjustment(connection, row)
    return {"transfer": await answer_transfer(connection, held.id), "adjustment": {"id": str(adjustment_id)}}
