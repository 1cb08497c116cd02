"""Do what may put an exception case right: what that is depends on its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.channels.health import try_at_once
from app.channels.reprocess_event import reset_event
from app.channels.resync_listings import resync_listings
from app.exceptions.act_on_case import CaseAction, answer_case, change_case, lock_case
from app.exceptions.resolve_cases import resolve_cases
from app.fulfillment.change_parcel import confirm_again
from app.fulfillment.change_work import BELL
from app.fulfillment.reroute_units import ask_again as ask_warehouses
from app.fulfillment.reroute_units import ask_for_reroute
from app.orders.note_cancellation import tell_again
from app.partners.note_contact import try_partner
from app.returns.queue_refund import ask_again
from app.routing.allocate_order import allocate_order
from app.run_once import Answer, refuse_once, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal
from domain.provenance import Provenance

_LOOK = """
UPDATE listings SET observed_at = NULL WHERE id = (
  SELECT id FROM listings WHERE channel_id = $1 AND lease_owner IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
"""
"""One listing is the next to be looked at."""
_SUBSCRIBE = "UPDATE channel_health SET subscriptions_due_at = NULL WHERE channel_id = $1"
BELLS = {
    CaseKind.SYNC_REJECTED: "push",
    CaseKind.DRIFT: "push",
    CaseKind.CHANNEL_DOWN: "push",
    CaseKind.NOT_SUBSCRIBED: "push",
    CaseKind.EVENT_FAILED: "events",
    CaseKind.ALLOCATION_IMPOSSIBLE: BELL,
    CaseKind.REJECTION: BELL,
    CaseKind.SHORT_PICK: BELL,
    CaseKind.PROMISE_AT_RISK: BELL,
    CaseKind.CONFIRMATION_REFUSED: BELL,
    CaseKind.REFUND_REFUSED: BELL,
    CaseKind.CANCELLATION_REFUSED: BELL,
    CaseKind.PARTNER_SILENT: "partners",
}
WAREHOUSES_MAX = 50
REROUTED = frozenset({CaseKind.ALLOCATION_IMPOSSIBLE, CaseKind.REJECTION, CaseKind.SHORT_PICK})
ASKED: dict[CaseKind, Callable[[Any, UUID], Awaitable[object]]] = {
    **dict.fromkeys(REROUTED, ask_for_reroute),
    CaseKind.REFUND_REFUSED: ask_again,
    CaseKind.CONFIRMATION_REFUSED: confirm_again,
    CaseKind.CANCELLATION_REFUSED: tell_again,
}
"""What a worker is asked to do again, by what the case is about."""


async def retry_case(
    state: State,
    principal: Principal,
    case_id: UUID,
    warehouses: Sequence[str],
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Tell a listing, a parcel, a refund or a cancellation again, process an event, try a channel, or route an order.

    `exception` of the answer is the case. `warehouses`: codes of those that rejected the order or picked it short, to
    be asked again. An order whose promise is at risk is routed anew after the transaction, by a repeat of the call too.

    It ends by itself when that worked. Raises `Refusal` INVALID_INPUT, WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED;
    EXCEPTION_NOT_FOUND, WRONG_STATE for a case that has ended, NOT_ALLOWED for a kind that only people can settle, and
    for a token limited to warehouses where routing would choose among all.
    """
    try:
        houses = await _find_houses(state, principal, warehouses)
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)

    async def decide(connection: Any) -> Answer:
        found = await lock_case(connection, principal, case_id)
        _check_kind(found["kind"], principal, houses)
        said = {"warehouses": list(houses.values())} if houses else None
        await change_case(connection, case_id, CaseAction("RETRIED"), provenance, said)
        await _recover(connection, CaseKind(found["kind"]), found["subject"])
        if houses:
            await ask_warehouses(connection, _key(found["subject"].partition(":")[2]), houses, provenance)
        return await answer_case(connection, case_id)

    answer = await run_once(state.database, call, decide)
    kind = CaseKind(answer["exception"]["kind"])
    if kind is CaseKind.PROMISE_AT_RISK:
        order_id = _key(answer["exception"]["subject"].partition(":")[2])
        await allocate_order(state, order_id, anew=True, provenance=provenance)
    for bell in {"feed", BELLS[kind]}:
        state.doorbell.ring(bell)
    return answer


def _check_kind(kind: str, principal: Principal, houses: Mapping[int, str]) -> None:
    if kind not in BELLS:
        message = "There is nothing to try again: settle the order, then resolve the case with a note."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))
    if houses and kind not in REROUTED:
        message = "Warehouses are asked again for an order that was rejected, picked short or not allocated."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("warehouses",))
    if kind == CaseKind.PROMISE_AT_RISK and principal.warehouse_ids is not None:
        message = "Your token is limited to warehouses, and routing chooses among all: ask somebody whose is not."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))


async def _find_houses(state: State, principal: Principal, warehouses: Sequence[str]) -> dict[int, str]:
    if len(warehouses) > WAREHOUSES_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"At most {WAREHOUSES_MAX} warehouses.", ("warehouses",))
    found = {}
    for index, code in enumerate(warehouses):
        house = await state.lookup.find_warehouse(code, principal, ("warehouses", str(index)))
        found[house.id] = house.code
    return found


async def _recover(connection: Any, kind: CaseKind, subject: str) -> None:
    name = subject.partition(":")[2]
    if kind is CaseKind.PROMISE_AT_RISK:
        _key(name)  # it is routed when this transaction has ended: routing has one of its own
        return
    if kind in ASKED:
        await ASKED[kind](connection, _key(name))
        return
    key = int(name)
    if kind is CaseKind.CHANNEL_DOWN:
        await try_at_once(connection, key)
        await connection.execute(_LOOK, key)
    elif kind is CaseKind.NOT_SUBSCRIBED:
        await try_at_once(connection, key)
        await connection.execute(_SUBSCRIBE, key)
    elif kind is CaseKind.PARTNER_SILENT:
        await try_partner(connection, key)
    elif kind is CaseKind.EVENT_FAILED:
        await reset_event(connection, key)
    elif await connection.fetchval("SELECT EXISTS (SELECT FROM listings WHERE id = $1)", key):
        await resync_listings(connection, [key])
    else:
        await resolve_cases(connection, [kind.value], {subject: {"unlinked": True}})


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        message = "The case is about nothing that can be tried again: resolve it with what you did."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",)) from error
