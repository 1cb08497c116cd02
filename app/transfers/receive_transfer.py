"""Receive a transfer in as many parts as it comes: whole, damaged or missing, each line by itself."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import lock_rows
from app.damage.keep_damage import DamageFound, keep_damages
from app.floor.find_document import DocumentRef, find_document, write_label
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.orders.await_transfer import promise_arrived
from app.run_once import Answer
from app.state import State
from app.transfers.hold_transfer import lock_transfer, note_discrepancies, replace_lines, settle_transfer
from domain.errors import Refusal, RefusalCode
from domain.transfers import Arrival, TransferAction, TransferState, arrive_line, next_state, settle_state


@dataclass(frozen=True, slots=True)
class ArrivalLine:
    """What was found of one SKU, units; `cause` and `evidence` of the damage. `bin`: where the whole ones go."""

    sku: str
    received: int = 0
    damaged: int = 0
    missing: int = 0
    cause: str | None = None
    evidence: str | None = None
    bin: str | None = None

    @property
    def arrival(self) -> Arrival:
        return Arrival(self.received, self.damaged, self.missing)


async def receive_transfer(
    state: State, act: FloorCall, ref: DocumentRef, lines: Sequence[ArrivalLine], at: str | None = None
) -> Answer:
    """Put what arrived on the shelf, and what is broken aside; what is missing stays on the way until it is closed.

    `at`: the warehouse where it stands; None: where it is going by the books.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE, INVALID_INPUT,
    INVALID_QUANTITY, OVER_RECEIPT, BIN_NOT_FOUND, BIN_FULL.
    """

    async def prepare() -> tuple[UUID, list[tuple[int, ArrivalLine]], int | None]:
        found = await find_lines(state.lookup, lines)
        here = None
        if at is not None:
            here = (await state.lookup.find_warehouse(at, act.principal, ("warehouse",), open_only=False)).id
        return await find_document(state.database.hot, act.principal, "transfer", ref), found, here

    async def decide(
        connection: Any, given: tuple[UUID, list[tuple[int, ArrivalLine]], int | None], now: datetime.datetime
    ) -> Answer:
        transfer_id, found, here = given
        return await receive_held(connection, act, transfer_id, found, now, here)

    return await perform(state, act, prepare, decide)


async def receive_held(
    connection: Any,
    act: FloorCall,
    transfer_id: UUID,
    found: Sequence[tuple[int, ArrivalLine]],
    now: datetime.datetime,
    here: int | None = None,
) -> Answer:
    """The same on the caller's transaction; `damages` of the answer are ids of what was reported damaged."""
    held = await lock_transfer(connection, act.principal, transfer_id)
    back = held.state is TransferState.RETURNING
    house = held.source_id if back else held.destination_id
    refuse_end(act.principal, house, "receive it")
    if here not in {None, house}:
        turned = "it was called back" if back else "it goes to the other end"
        message = f"By the books it is not on its way there, {turned}: find out where it stands, then correct either."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("warehouse",))
    status = next_state(held.state, TransferAction.RECEIVE)
    matched = held.match_lines(sku_id for sku_id, _ in found)
    arrived = [
        arrive_line(line, wanted.arrival, back=back, path=("lines", str(index)))
        for index, (line, (_, wanted)) in enumerate(zip(matched, found, strict=True))
    ]
    lines = replace_lines(held, arrived)
    key = held.at_source if back else held.at_destination
    legs = [
        Leg(key(sku_id), "in_transit", bucket, units, ("lines", str(index)), bin=place)
        for index, (sku_id, wanted) in enumerate(found)
        for bucket, units, place in (
            ("available", wanted.received, wanted.bin),
            ("damaged", wanted.damaged, None),
        )
    ]
    awaited = () if back or held.order is None else [held.at_destination(line.sku_id) for line in held.lines]
    if awaited:
        await lock_rows(connection, awaited)
    await post_legs(connection, act, held.document, legs, now)
    if awaited and held.order is not None:
        units = {sku_id: wanted.received for sku_id, wanted in found}
        label = write_label("transfer", held.number)
        await promise_arrived(connection, held.order, awaited, units, label, act.provenance)
    broken = [
        DamageFound(sku_id, wanted.damaged, wanted.cause or "TRANSPORT", wanted.evidence)
        for sku_id, wanted in found
        if wanted.damaged
    ]
    damages = await keep_damages(connection, act, house, "TRANSIT", broken, now, document=held.document)
    await note_discrepancies(connection, held, lines, now)
    answer = await settle_transfer(connection, held, settle_state(status, lines), lines, act.at(now), now)
    return {**answer, "damages": [str(one) for one in damages]}
