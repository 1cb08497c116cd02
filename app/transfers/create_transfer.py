"""Create a transfer: the units are held at the source at once, unless a second person must approve first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, Leg, perform, post_legs, tell
from app.run_once import Answer
from app.state import State
from app.transfers.read_transfers import answer_transfer
from domain.approvals import ApprovalKind, Guard
from domain.errors import Refusal, RefusalCode
from domain.stock import StockKey, check_quantity
from domain.transfers import TransferState

_TRANSFER = """
INSERT INTO transfers (id, state, source_id, destination_id, reference, note, expected_at, requested_by,
                       requested_name, approved_at, created_at, order_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_LINES = """
INSERT INTO transfer_lines (transfer_id, line, sku_id, requested)
SELECT $1, g.* FROM unnest($2::int[], $3::int[], $4::int[]) AS g
"""


@dataclass(frozen=True, slots=True)
class TransferWantedLine:
    """SKU code or barcode, units."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class TransferWanted:
    """`source` and `destination` are warehouse codes. `expected_at`: when it should arrive."""

    source: str
    destination: str
    lines: Sequence[TransferWantedLine]
    expected_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """What is to be moved: (SKU id, units). `guard`: what it is held against. `order_id`: of the order that waits."""

    source_id: int
    destination_id: int
    lines: list[tuple[int, int]]
    guard: Guard | None
    expected_at: datetime.datetime | None = None
    order_id: UUID | None = None


async def create_transfer(state: State, act: FloorCall, wanted: TransferWanted) -> Answer:
    """`transfer` of the answer is APPROVED, or AWAITING_APPROVAL above what the caller may move alone.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, INVALID_INPUT (both the same), TOO_MANY_LINES,
    SKU_NOT_FOUND, DUPLICATE_LINE, INVALID_QUANTITY, and INSUFFICIENT_STOCK when it is approved.
    """

    async def decide(connection: Any, given: NewTransfer, now: datetime.datetime) -> Answer:
        transfer_id = await write_transfer(connection, act, given, now)
        return {"transfer": await answer_transfer(connection, transfer_id)}

    return await perform(state, act, lambda: _prepare(state, act, wanted), decide)


async def write_transfer(connection: Any, act: FloorCall, given: NewTransfer, now: datetime.datetime) -> UUID:
    """Its id, on the caller's transaction. Raises `Refusal` INSUFFICIENT_STOCK when nobody has to approve it first."""
    transfer_id, at = uuid7(), act.at(now)
    waits = given.guard is not None and given.guard.exceeded(given.lines)
    status = TransferState.AWAITING_APPROVAL if waits else TransferState.APPROVED
    head = (transfer_id, status.value, given.source_id, given.destination_id)
    said = (act.remarks.reference, act.remarks.note, given.expected_at)
    who = (act.principal.id, act.provenance.actor)
    await connection.execute(_TRANSFER, *head, *said, *who, None if waits else at, at, given.order_id)
    skus, units = [line[0] for line in given.lines], [line[1] for line in given.lines]
    await connection.execute(_LINES, transfer_id, list(range(len(skus))), skus, units)
    ends = (given.source_id, given.destination_id)
    if not waits:
        await hold_units(connection, act, transfer_id, ends, given.lines, now)
    await tell(connection, "transfer", transfer_id, ends)
    return transfer_id


async def hold_units(
    connection: Any,
    act: FloorCall,
    transfer_id: UUID,
    ends: tuple[int, int],
    lines: Sequence[tuple[int, int]],
    now: datetime.datetime,
) -> None:
    """(SKU id, units) from available to committed at the source; the destination expects them."""
    source_id, destination_id = ends
    legs = [
        Leg(StockKey(sku_id, source_id), "available", "committed", units, ("lines", str(index), "quantity"))
        for index, (sku_id, units) in enumerate(lines)
    ]
    hopes = [(StockKey(sku_id, destination_id), units) for sku_id, units in lines]
    await post_legs(connection, act, f"transfer:{transfer_id}", legs, now, hopes)


async def _prepare(state: State, act: FloorCall, wanted: TransferWanted) -> NewTransfer:
    source = await state.lookup.find_warehouse(wanted.source, act.principal, ("source",))
    destination = await state.lookup.find_warehouse(wanted.destination, act.principal, ("destination",))
    if source.id == destination.id:
        message = "A transfer goes to another warehouse: within one, nothing changes."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("destination",))
    lines = await find_lines(state.lookup, wanted.lines)
    for index, (_, line) in enumerate(lines):
        check_quantity(line.quantity, ("lines", str(index), "quantity"))
    guard = await state.policies.guard(ApprovalKind.TRANSFER, act.principal, (sku_id for sku_id, _ in lines))
    units = [(sku_id, line.quantity) for sku_id, line in lines]
    return NewTransfer(source.id, destination.id, units, guard, wanted.expected_at)
