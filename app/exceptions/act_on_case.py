"""What people do about an exception case. Each action is in the case's timeline, with who did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.exceptions.read_cases import CASES, see_cases
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal
from domain.provenance import Provenance

OWNER_LENGTH_MAX = 100
NOTE_LENGTH_MAX = 2_000
SETTLED_BY_PEOPLE = frozenset(
    {
        CaseKind.EVENT_FAILED,
        CaseKind.OVERSELL,
        CaseKind.ORDER_PROBLEM,
        CaseKind.COUNT_SHORTAGE,
        *(CaseKind.RETURN_MISMATCH, CaseKind.REFUND_WAITING, CaseKind.REFUND_REFUSED),
        CaseKind.CHANGE_REFUSED,
        CaseKind.PAYMENT_OVERDUE,
        CaseKind.CANCELLATION_REFUSED,
        *(CaseKind.ALLOCATION_IMPOSSIBLE, CaseKind.REJECTION, CaseKind.SHORT_PICK, CaseKind.CONFIRMATION_REFUSED),
        CaseKind.PARTNER_CONTRADICTION,
        CaseKind.STOCK_DIFFERENCE,
    }
)
"""The others end by themselves, with the observation that proves it: whoever closed one by hand would only hide it."""
_LOCK = f"{CASES} WHERE x.id = $1 FOR UPDATE OF x"
_CHANGE = """
WITH changed AS (
  UPDATE exception_cases SET state = coalesce($2, state), owner = coalesce($3, owner),
    resolved_at = CASE WHEN $2 = 'RESOLVED' THEN clock_timestamp() END,
    resolution = CASE WHEN $2 = 'RESOLVED' THEN 'MANUAL' END,
    proof = CASE WHEN $2 = 'RESOLVED' THEN $7::json END
  WHERE id = $1 RETURNING *
), told AS (
  INSERT INTO feed (topic, key, sku_id, warehouse_id, channel_id, payload)
  SELECT 'exception', id::text, sku_id, warehouse_id, channel_id, to_json(changed) FROM changed
)
INSERT INTO exception_events (case_id, at, actor, action, note, data)
SELECT id, clock_timestamp(), $4, $5, $6, $7::json FROM changed
"""


@dataclass(frozen=True, slots=True)
class CaseAction:
    """`action`: the word in the timeline. `state` and `owner`: what becomes of the case; None: as it is."""

    action: str
    state: str | None = None
    owner: str | None = None
    note: str | None = None


async def acknowledge_case(
    state: State,
    principal: Principal,
    case_id: UUID,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Somebody has seen it: no more alerts. `exception` of the answer is the case.

    Raises `Refusal` INVALID_INPUT, EXCEPTION_NOT_FOUND, WRONG_STATE for a case that has ended.
    """
    action = CaseAction("ACKNOWLEDGED", "ACKNOWLEDGED", note=note)
    return await _act(state, principal, case_id, action, provenance, call)


async def assign_case(
    state: State,
    principal: Principal,
    case_id: UUID,
    owner: str,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Give it to a role or a person. Raises `Refusal` INVALID_INPUT, EXCEPTION_NOT_FOUND, WRONG_STATE."""
    action = CaseAction("ASSIGNED", owner=owner, note=note)
    return await _act(state, principal, case_id, action, provenance, call)


async def settle_case(
    state: State,
    principal: Principal,
    case_id: UUID,
    note: str,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Resolve by hand, with a word on how.

    Raises `Refusal` INVALID_INPUT without a note, EXCEPTION_NOT_FOUND, WRONG_STATE, NOT_ALLOWED for a kind that
    ends by itself.
    """
    action = CaseAction("RESOLVED", "RESOLVED", note=note)
    return await _act(state, principal, case_id, action, provenance, call)


async def _act(
    state: State,
    principal: Principal,
    case_id: UUID,
    action: CaseAction,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    async def decide(connection: Any) -> Answer:
        _check(action)
        found = await lock_case(connection, principal, case_id)
        if action.state == "RESOLVED" and found["kind"] not in SETTLED_BY_PEOPLE:
            message = (
                "This one ends by itself when what it is about is put right: do that, retry it, or acknowledge it."
            )
            raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))
        await change_case(connection, case_id, action, provenance)
        return await answer_case(connection, case_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


def _check(action: CaseAction) -> None:
    check_text(action.note, "note", NOTE_LENGTH_MAX)
    if action.state == "RESOLVED" and not (action.note or "").strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Say how it was settled.", ("note",))
    check_text(action.owner, "owner", OWNER_LENGTH_MAX)
    if action.owner is not None and not action.owner.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Say whose it is: a role, or a person.", ("owner",))


async def lock_case(connection: Any, principal: Principal, case_id: UUID) -> Any:
    """A case that has not ended. Raises `Refusal` EXCEPTION_NOT_FOUND (hidden or unknown), WRONG_STATE."""
    found = await connection.fetchrow(_LOCK, case_id)
    sight = await see_cases(connection, principal)
    if found is None or not sight.shows(found["channel_id"], found["warehouse_id"]):
        raise Refusal(RefusalCode.EXCEPTION_NOT_FOUND, "There is no such case.", ("id",))
    if found["state"] == "RESOLVED":
        raise Refusal(RefusalCode.WRONG_STATE, "The case is resolved already.", ("id",))
    return found


async def change_case(
    connection: Any, case_id: UUID, action: CaseAction, provenance: Provenance, data: Mapping[str, Any] | None = None
) -> None:
    """Note the action in the timeline and tell who watches, on the caller's transaction."""
    by = {"by": provenance.token_id, "requestId": provenance.request_id, **(data or {})}
    if action.state == "RESOLVED":
        by["note"] = action.note
    kept = orjson.dumps({name: value for name, value in by.items() if value is not None}).decode()
    await connection.execute(
        _CHANGE, case_id, action.state, action.owner, provenance.actor, action.action, action.note, kept
    )


async def answer_case(connection: Any, case_id: UUID) -> Answer:
    """The case as it is now, as an answer that can be kept."""
    return {"exception": dict(await connection.fetchrow(f"{CASES} WHERE x.id = $1", case_id))}
