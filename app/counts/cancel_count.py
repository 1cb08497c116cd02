"""Give up a count: nothing is posted, and its lines may be counted by another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.counts.lock_count import change_count, lock_count
from app.counts.read_counts import answer_count
from app.run_once import Answer, run_once
from app.state import State
from domain.counts import CountAction, CountStatus
from domain.identity import Principal

_CANCEL = "UPDATE count_lines SET status = 'CANCELLED' WHERE count_id = $1"


async def cancel_count(state: State, principal: Principal, count_id: UUID, call: IdempotentCall | None) -> Answer:
    """`count` of the answer is the count, once per key. Raises `Refusal` COUNT_NOT_FOUND, WRONG_STATE."""

    async def decide(connection: Any) -> Answer:
        await lock_count(connection, principal, count_id, CountAction.CANCEL)
        await connection.execute(_CANCEL, count_id)
        await change_count(connection, count_id, CountStatus.CANCELLED)
        return await answer_count(connection, count_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("listings")
    return answer
