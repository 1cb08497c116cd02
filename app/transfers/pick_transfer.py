"""Pick a transfer, in as many parts as it takes. Nothing moves in the ledger: the units are held already."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import lock_rows
from app.floor.find_document import DocumentRef, find_document
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, perform, refuse_end
from app.run_once import Answer
from app.state import State
from app.transfers.create_transfer import TransferWantedLine
from app.transfers.hold_transfer import keep_transfer, lock_transfer, replace_lines
from domain.stock import check_quantity
from domain.transfers import TransferAction, next_state, pick_line


async def pick_transfer(state: State, act: FloorCall, ref: DocumentRef, lines: Sequence[TransferWantedLine]) -> Answer:
    """Add what was picked to each line. Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE, INVALID_INPUT
    (a SKU that it does not have), INVALID_QUANTITY.
    """

    async def prepare() -> tuple[UUID, list[tuple[int, TransferWantedLine]]]:
        found = await find_lines(state.lookup, lines)
        for index, line in enumerate(lines):
            check_quantity(line.quantity, ("lines", str(index), "quantity"))
        return await find_document(state.database.hot, act.principal, "transfer", ref), found

    async def decide(connection: Any, given: tuple[UUID, list[Any]], now: datetime.datetime) -> Answer:
        transfer_id, found = given
        held = await lock_transfer(connection, act.principal, transfer_id)
        refuse_end(act.principal, held.source_id, "pick it")
        status = next_state(held.state, TransferAction.PICK)
        await lock_rows(connection, {held.at_source(sku_id) for sku_id, _ in found})  # bins change under this lock
        matched = held.match_lines(sku_id for sku_id, _ in found)
        picked = [
            pick_line(line, wanted.quantity, ("lines", str(index)))
            for index, (line, (_, wanted)) in enumerate(zip(matched, found, strict=True))
        ]
        return await keep_transfer(connection, held, status, replace_lines(held, picked), {})

    return await perform(state, act, prepare, decide)
