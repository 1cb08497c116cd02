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
from domain.errors import Refusal, RefusalCode
from domain.returns import ReturnState, check_cancel, check_close, check_open

_EXCHANGE = """
SELECT coalesce(e.name, e.external_id) FROM returns r JOIN orders e ON e.id = r.exchange_order_id
WHERE r.id = $1 AND e.status <> 'CANCELLED' AND e.id <> r.order_id
"""


async def close_return(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """What was announced and never came stays with the customer, and may be returned again.

    Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE (ended, or units wait for their inspection).
    """
    return await _end(state, act, ref, ReturnState.CLOSED)


async def cancel_return(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE (ended, something has come, or an order is sent instead)."""
    return await _end(state, act, ref, ReturnState.CANCELLED)


async def _end(state: State, act: FloorCall, ref: DocumentRef, to: ReturnState) -> Answer:
    async def decide(connection: Any, return_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_return(connection, act.principal, return_id)
        check_open(held.state, "close" if to is ReturnState.CLOSED else "cancel")
        if to is ReturnState.CLOSED:
            check_close(held.lines)
        else:
            check_cancel(held.lines)
            await _check_exchange(connection, return_id)
        return await keep_return(connection, held, held.lines, {"ended_at": act.at(now)}, now, state=to.value)

    return await perform(state, act, lambda: find_document(state.database.hot, act.principal, "return", ref), decide)


async def _check_exchange(connection: Any, return_id: UUID) -> None:
    name = await connection.fetchval(_EXCHANGE, return_id)
    if name is not None:
        message = f"{name!r} is sent instead of what would have come: cancel that order first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
