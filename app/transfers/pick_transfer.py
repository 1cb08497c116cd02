"""Pick a transfer, in as many parts as it takes. Nothing moves in the ledger: the units are held already.

A tablet without network may tell it when another has said that the transfer left. Then what was shipped is corrected,
so that the books are as if everything had been told in the order in which it happened.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import lock_rows
from app.floor.find_document import DocumentRef, find_document
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.run_once import Answer
from app.state import State
from app.transfers.create_transfer import TransferWantedLine
from app.transfers.hold_transfer import (
    HeldTransfer,
    keep_transfer,
    lock_transfer,
    note_discrepancies,
    replace_lines,
    settle_transfer,
)
from domain.stock import check_quantity
from domain.transfers import AFLOAT, TransferLine, TransferState, correct_shipment, pick_line, pick_state, settle_state


async def pick_transfer(state: State, act: FloorCall, ref: DocumentRef, lines: Sequence[TransferWantedLine]) -> Answer:
    """Add what was picked to each line. When it has left since, what was picked was shipped, and nothing else.

    Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE, INVALID_INPUT (a SKU that it does not have),
    INVALID_QUANTITY, INSUFFICIENT_STOCK (what was not known to have left is not there any more).
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
        status = pick_state(held.state, act.occurred_at, held.shipped_at)
        matched = held.match_lines(sku_id for sku_id, _ in found)
        picked = [
            pick_line(line, wanted.quantity, ("lines", str(index)))
            for index, (line, (_, wanted)) in enumerate(zip(matched, found, strict=True))
        ]
        after = replace_lines(held, picked)
        if status in AFLOAT:
            paths = {sku_id: ("lines", str(index), "quantity") for index, (sku_id, _) in enumerate(found)}
            return await _correct(connection, act, held, after, paths, now)
        await lock_rows(connection, {held.at_source(sku_id) for sku_id, _ in found})  # bins change under this lock
        return await keep_transfer(connection, held, status, after, {})

    return await perform(state, act, prepare, decide)


async def _correct(
    connection: Any,
    act: FloorCall,
    held: HeldTransfer,
    lines: Sequence[TransferLine],
    paths: Mapping[int, tuple[str, ...]],
    now: datetime.datetime,
) -> Answer:
    """Of the moment when it was shipped. `paths`: where in the input each SKU is that was picked."""
    back = held.state is TransferState.RETURNING
    corrected = [correct_shipment(line, back=back) for line in lines]
    legs = []
    for before, line in zip(held.lines, corrected, strict=True):
        legs += _legs(held, line.sku_id, line.shipped - before.shipped, paths.get(line.sku_id, ()))
    await lock_rows(connection, {key(line.sku_id) for line in lines for key in (held.at_source, held.at_destination)})
    await post_legs(connection, replace(act, occurred_at=held.shipped_at), held.document, legs, now)
    await note_discrepancies(connection, held, corrected, now)
    return await settle_transfer(connection, held, settle_state(held.state, corrected), corrected, now, now)


def _legs(held: HeldTransfer, sku_id: int, more: int, path: tuple[str, ...]) -> list[Leg]:
    """`more`: units that were shipped besides those that were known; below zero: that were not shipped after all."""
    source = held.at_source(sku_id)
    afloat = source if held.state is TransferState.RETURNING else held.at_destination(sku_id)
    if more > 0:
        return [Leg(source, "available", "transfer", more, path), Leg(afloat, "transfer", "in_transit", more, path)]
    return [Leg(afloat, "in_transit", "transfer", -more, path), Leg(source, "transfer", "available", -more, path)]
