"""Close a transfer, writing off what never came; or cancel it, wherever its units are by then."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.exceptions.resolve_cases import resolve_cases
from app.floor.find_document import DocumentRef, find_document
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.run_once import Answer
from app.state import State
from app.transfers.hold_transfer import HeldTransfer, end_cases, keep_transfer, lock_transfer
from app.transfers.write_off import ask_write_off, house_of_loss, lost_units, refuse_waiting, write_off
from domain.approvals import ApprovalKind, Guard
from domain.exceptions import CaseKind
from domain.stock import StockKey
from domain.transfers import HELD, TransferAction, TransferLine, TransferState, next_state

_SKUS = "SELECT sku_id FROM transfer_lines WHERE transfer_id = $1"
Changed = tuple[Sequence[TransferLine], list[Leg], list[tuple[StockKey, int]]]


async def close_transfer(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """What is still on the way is lost, and leaves the books. Above what the caller may adjust alone nothing moves, and
    `adjustment` of the answer waits for a second person.

    Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE.
    """

    async def prepare() -> tuple[UUID, Guard | None]:
        transfer_id = await find_document(state.database.hot, act.principal, "transfer", ref)
        skus = [row[0] for row in await state.database.hot.fetch(_SKUS, transfer_id)]
        return transfer_id, await state.policies.guard(ApprovalKind.ADJUSTMENT, act.principal, skus)

    async def decide(connection: Any, given: tuple[UUID, Guard | None], now: datetime.datetime) -> Answer:
        transfer_id, guard = given
        held = await lock_transfer(connection, act.principal, transfer_id)
        refuse_end(act.principal, house_of_loss(held), "close it")
        next_state(held.state, TransferAction.CLOSE)
        await refuse_waiting(connection, held)
        lost = lost_units(held)
        if lost and guard is not None and guard.exceeded(lost):
            return await ask_write_off(connection, act, held, lost, now)
        return {**await write_off(connection, act, held, now), "adjustment": None}

    return await perform(state, act, prepare, decide)


async def cancel_transfer(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Before it is shipped the units go back to the shelf; on the way they turn round, and are received at the source.

    Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED (both ends must be the caller's), WRONG_STATE.
    """

    async def decide(connection: Any, transfer_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_transfer(connection, act.principal, transfer_id)
        for house in (held.source_id, held.destination_id):
            refuse_end(act.principal, house, "cancel it")
        status = next_state(held.state, TransferAction.CANCEL)
        lines, legs, hopes = _let_go(held)
        await post_legs(connection, act, held.document, legs, now, hopes)
        stamps = {"ended_at": act.at(now)} if status is TransferState.CANCELLED else {}
        if stamps:
            proof = {f"transfer:{held.id}": {"state": status.value, "at": now}}
            await resolve_cases(connection, [CaseKind.APPROVAL_WAITING.value], proof)
            await end_cases(connection, held, status, now)
        return await keep_transfer(connection, held, status, lines, stamps)

    return await perform(state, act, lambda: find_document(state.database.hot, act.principal, "transfer", ref), decide)


def _let_go(held: HeldTransfer) -> Changed:
    if held.state in HELD:
        legs = [Leg(held.at_source(line.sku_id), "committed", "available", line.requested) for line in held.lines]
        return held.lines, legs, [(held.at_destination(line.sku_id), -line.requested) for line in held.lines]
    legs = []
    for line in held.lines:
        legs.append(Leg(held.at_destination(line.sku_id), "in_transit", "transfer", line.afloat))
        legs.append(Leg(held.at_source(line.sku_id), "transfer", "in_transit", line.afloat))
    return [replace(line, recalled=line.afloat, missing=0) for line in held.lines], legs, []
