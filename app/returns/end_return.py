"""Close a return that is worked off, or cancel one that never came."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from app.floor.find_document import DocumentRef, find_document
from app.floor.perform import FloorCall, perform
from app.returns.hold_return import keep_return, lock_return
from app.run_once import Answer
from app.state import State
from domain.returns import ReturnState, check_cancel, check_close, check_open


async def close_return(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """What was announced and never came stays with the customer, and may be returned again.

    Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE (ended, or units wait for their inspection).
    """
    return await _end(state, act, ref, ReturnState.CLOSED)


async def cancel_return(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE (ended, or something has come)."""
    return await _end(state, act, ref, ReturnState.CANCELLED)


async def _end(state: State, act: FloorCall, ref: DocumentRef, to: ReturnState) -> Answer:
    async def decide(connection: Any, return_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_return(connection, act.principal, return_id)
        check_open(held.state, "close" if to is ReturnState.CLOSED else "cancel")
        if to is ReturnState.CLOSED:
            check_close(held.lines)
        else:
            check_cancel(held.lines)
        return await keep_return(connection, held, held.lines, {"ended_at": act.at(now)}, now, state=to.value)

    return await perform(state, act, lambda: find_document(state.database.hot, act.principal, "return", ref), decide)
