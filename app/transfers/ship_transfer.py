"""Ship a transfer: in one transaction the units leave the source and are on their way to the destination."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.calls import check_text
from app.floor.find_document import DocumentRef, find_document
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.run_once import Answer
from app.state import State
from app.transfers.hold_transfer import HeldTransfer, keep_transfer, lock_transfer
from domain.errors import Refusal, RefusalCode
from domain.transfers import TransferAction, TransferLine, TransferState, next_state


async def ship_transfer(
    state: State,
    act: FloorCall,
    ref: DocumentRef,
    carrier: str | None,
    tracking_number: str | None,
    expected_at: datetime.datetime | None,
) -> Answer:
    """Ship what was picked, or all of it when nobody picked; the rest goes back to the shelf. Picks that are told later
    correct it (`pick_transfer`).

    Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE, INVALID_INPUT.
    """

    async def prepare() -> UUID:
        check_text(carrier, "carrier", 100)
        check_text(tracking_number, "trackingNumber", 100)
        return await find_document(state.database.hot, act.principal, "transfer", ref)

    async def decide(connection: Any, transfer_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_transfer(connection, act.principal, transfer_id)
        refuse_end(act.principal, held.source_id, "ship it")
        status = next_state(held.state, TransferAction.SHIP)
        lines = _load(held)
        legs = [leg for line in lines for leg in _legs(held, line)]
        hopes = [(held.at_destination(line.sku_id), -line.requested) for line in lines]
        await post_legs(connection, act, held.document, legs, now, hopes)
        columns: dict[str, Any] = {"carrier": carrier, "tracking_number": tracking_number}
        if expected_at is not None:
            columns["expected_at"] = expected_at
        return await keep_transfer(connection, held, status, lines, {"shipped_at": act.at(now)}, **columns)

    return await perform(state, act, prepare, decide)


def _load(held: HeldTransfer) -> tuple[TransferLine, ...]:
    if held.state is TransferState.APPROVED:
        return tuple(replace(line, shipped=line.requested) for line in held.lines)
    if not any(line.picked for line in held.lines):
        raise Refusal(RefusalCode.WRONG_STATE, "Nothing of it is picked: pick it, or cancel it.", ("id",))
    return tuple(replace(line, shipped=line.picked) for line in held.lines)


def _legs(held: HeldTransfer, line: TransferLine) -> list[Leg]:
    """Out of one row and into the other through `transfer`, which is zero again over both."""
    source, destination = held.at_source(line.sku_id), held.at_destination(line.sku_id)
    return [
        Leg(source, "committed", "transfer", line.shipped),
        Leg(destination, "transfer", "in_transit", line.shipped),
        Leg(source, "committed", "available", line.requested - line.shipped),
    ]
