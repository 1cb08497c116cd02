"""Approve a transfer that is above what its creator may move alone: a second person, and the units are held."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from app.approvals.decide_adjustment import read_makers
from app.exceptions.resolve_cases import resolve_cases
from app.floor.find_document import DocumentRef, find_document
from app.floor.perform import FloorCall, perform, refuse_end
from app.run_once import Answer
from app.state import State
from app.transfers.create_transfer import hold_units
from app.transfers.hold_transfer import keep_transfer, lock_transfer
from domain.approvals import check_second
from domain.exceptions import CaseKind
from domain.transfers import TransferAction, next_state


async def approve_transfer(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Raises `Refusal` TRANSFER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE, SAME_PERSON, INSUFFICIENT_STOCK (it waits on)."""

    async def decide(connection: Any, transfer_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_transfer(connection, act.principal, transfer_id)
        for house in (held.source_id, held.destination_id):
            refuse_end(act.principal, house, "approve it")
        status = next_state(held.state, TransferAction.APPROVE)
        check_second(held.requested_by, act.principal.id, await read_makers(connection, act.principal))
        lines = [(line.sku_id, line.requested) for line in held.lines]
        await hold_units(connection, act, held.id, (held.source_id, held.destination_id), lines, now)
        proof = {f"transfer:{held.id}": {"state": status.value, "at": now}}
        await resolve_cases(connection, [CaseKind.APPROVAL_WAITING.value], proof)
        by = {"approved_by": act.principal.id, "approved_name": act.provenance.actor}
        return await keep_transfer(connection, held, status, held.lines, {"approved_at": act.at(now)}, **by)

    return await perform(state, act, lambda: find_document(state.database.hot, act.principal, "transfer", ref), decide)
