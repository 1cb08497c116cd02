"""What every change of a fulfilment order has in common: once per key, in one transaction, on locked rows."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_moment, check_text
from app.fulfillment.lock_work import Work, lock_work, note_event, set_work
from app.fulfillment.read_work import read_works_by_ids
from app.run_once import Answer, run_once
from app.say_moment import say_moment
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentAction, FulfillmentStatus, check_action
from domain.identity import Principal
from domain.provenance import Provenance

BELL = "fulfillment"
NOTE_LENGTH_MAX = 500
ASSIGNEE_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """What every change says. `occurred_at`: when it happened on the floor; None: now.

    `left`: a partner that knows of no holds tells what it has done: a hold does not undo it.
    """

    id: UUID
    provenance: Provenance
    call: IdempotentCall | None = None
    expected_version: int | None = None
    occurred_at: datetime.datetime | None = None
    note: str | None = None
    left: bool = False

    def at(self) -> datetime.datetime:
        return self.occurred_at or datetime.datetime.now(datetime.UTC)


Decide = Callable[[Any, Work], Awaitable[dict[str, Any] | None]]
"""Changes a locked fulfilment order on a connection; what it returns is added to the answer."""


async def change_work(
    state: State, principal: Principal, ask: Ask, action: FulfillmentAction, decide: Decide
) -> Answer:
    """Run `decide` once per key. `fulfillment_order` of the answer is what it is afterwards.

    Raises `Refusal` INVALID_INPUT (note, time), FULFILLMENT_ORDER_NOT_FOUND, STALE_VERSION, WRONG_STATE, and whatever
    `decide` raises.
    """

    async def once(connection: Any) -> Answer:
        check_text(ask.note, "note", NOTE_LENGTH_MAX)
        check_moment(ask.occurred_at)
        await say_moment(connection, ask.occurred_at)
        work = await lock_work(connection, principal, ask.id, ask.expected_version)
        check_action(work.status, action, work.held and not ask.left)
        more = await decide(connection, work)
        (row,) = await read_works_by_ids(connection, [ask.id])
        return {"fulfillment_order": row, **(more or {})}

    answer = await run_once(state.database, ask.call, once)
    ring_work(state)
    return answer


def ring_work(state: State) -> None:
    for bell in ("feed", BELL):
        state.doorbell.ring(bell)


async def accept_work(state: State, principal: Principal, ask: Ask, assignee: str | None = None) -> Answer:
    """The warehouse takes it on. Raises `Refusal`."""

    async def decide(connection: Any, work: Work) -> None:
        check_text(assignee, "assignee", ASSIGNEE_LENGTH_MAX)
        taken_by = assignee or work.row["assignee"]
        await set_work(connection, work.id, status=FulfillmentStatus.ACCEPTED, accept_by=None, assignee=taken_by)
        await note_event(connection, work, ask.provenance, "ACCEPTED", ask.at(), ask.note)

    return await change_work(state, principal, ask, FulfillmentAction.ACCEPT, decide)


async def start_picking(state: State, principal: Principal, ask: Ask, assignee: str | None = None) -> Answer:
    """Somebody goes for it; one that is partly shipped is picked on. Raises `Refusal`."""

    async def decide(connection: Any, work: Work) -> None:
        check_text(assignee, "assignee", ASSIGNEE_LENGTH_MAX)
        if not any(line.unpicked for line in work.lines):
            raise Refusal(RefusalCode.WRONG_STATE, "All of it is picked: ship it.", ("id",))
        taken_by = assignee or work.row["assignee"]
        await set_work(connection, work.id, status=FulfillmentStatus.PICKING, assignee=taken_by)
        await note_event(connection, work, ask.provenance, "PICKING", ask.at(), ask.note)

    return await change_work(state, principal, ask, FulfillmentAction.START_PICKING, decide)


async def pack_work(state: State, principal: Principal, ask: Ask) -> Answer:
    """What was picked is in its parcel. Raises `Refusal`."""

    async def decide(connection: Any, work: Work) -> None:
        await set_work(connection, work.id, status=FulfillmentStatus.PACKED)
        await note_event(connection, work, ask.provenance, "PACKED", ask.at(), ask.note)

    return await change_work(state, principal, ask, FulfillmentAction.PACK, decide)


async def hold_work(state: State, principal: Principal, ask: Ask, reason: str) -> Answer:
    """Nothing goes on with it until it is let go. Raises `Refusal`."""

    async def decide(connection: Any, work: Work) -> None:
        if not reason.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, "Say why it is held.", ("reason",))
        check_text(reason, "reason", NOTE_LENGTH_MAX)
        await set_work(connection, work.id, hold_reason=reason)
        await note_event(connection, work, ask.provenance, "WORK_HELD", ask.at(), reason)

    return await change_work(state, principal, ask, FulfillmentAction.HOLD, decide)


def extend_acceptance(accept_by: datetime.datetime | None, accept_seconds: float) -> datetime.datetime | None:
    """Nobody could take it on while it was held: its warehouse has all of its time again. None: there is no limit."""
    if accept_by is None:
        return None
    return max(accept_by, datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=accept_seconds))


async def let_work_go(state: State, principal: Principal, ask: Ask) -> Answer:
    """It goes on where it was. Raises `Refusal` WRONG_STATE when it is not held."""

    async def decide(connection: Any, work: Work) -> None:
        if not work.held:
            raise Refusal(RefusalCode.WRONG_STATE, "It is not held: nothing is to be let go.", ("id",))
        accept_by = extend_acceptance(work.row["accept_by"], state.settings.accept_seconds)
        await set_work(connection, work.id, hold_reason=None, accept_by=accept_by)
        await note_event(connection, work, ask.provenance, "WORK_LET_GO", ask.at(), ask.note)

    return await change_work(state, principal, ask, FulfillmentAction.UNHOLD, decide)
