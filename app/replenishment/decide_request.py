"""Approve what is proposed, which orders it, or reject it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall, hash_input
from app.calls import check_text
from app.floor.perform import FloorCall
from app.replenishment.create_purchase import PurchaseCreate, PurchaseLine, insert_purchase
from app.replenishment.follow_document import end_request
from app.replenishment.read_requests import answer_request, read_request
from app.run_once import Answer, refuse_once, run_once
from app.state import State
from app.transfers.create_transfer import TransferWanted, TransferWantedLine, create_transfer
from app.transfers.hold_transfer import ENDED
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.replenishment import RequestSource, RequestStatus
from domain.stock import check_quantity
from domain.transfers import TransferState

_LOCK = "SELECT * FROM replenishment_requests WHERE id = $1 FOR UPDATE"
_STATE = "SELECT state FROM transfers WHERE id = $1 FOR SHARE"
_DECIDE = """
UPDATE replenishment_requests SET status = $2, quantity = $3, note = coalesce($4, note), document = $5,
  decided_by = $6, decided_at = clock_timestamp() WHERE id = $1
"""


async def approve_request(
    state: State,
    principal: Principal,
    request_id: UUID,
    quantity: int | None,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Order it, `quantity` units if given: a purchase becomes a purchase order, a transfer a transfer.

    The transfer is made first, in a transaction of its own and once per request, so that a repeat after a crash finds
    it. Raises `Refusal` INVALID_INPUT, INVALID_QUANTITY, REQUEST_NOT_FOUND, WRONG_STATE unless it is PROPOSED, and
    what creating a transfer is refused for.
    """
    try:
        check_text(note, "note")
        transfer = await _transfer(state, principal, request_id, quantity, provenance)
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)

    async def decide(connection: Any) -> Answer:
        request = await _lock(connection, principal, request_id)
        units = request["quantity"] if quantity is None else quantity
        check_quantity(units, ("quantity",))
        document = transfer
        if request["source"] == RequestSource.PURCHASE:
            command = PurchaseCreate("", "", [PurchaseLine("", units)], note=note)
            place = request["supplier_id"], request["warehouse_id"]
            order_id = await insert_purchase(connection, *place, [request["sku_id"]], command, provenance.actor)
            document = f"purchase:{order_id}"
        await _decide(connection, request_id, RequestStatus.APPROVED, units, note, document, provenance.actor)
        await _follow_transfer(connection, document)
        return {"request": await answer_request(connection, request_id)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


async def _transfer(
    state: State, principal: Principal, request_id: UUID, quantity: int | None, provenance: Provenance
) -> str | None:
    """The transfer of a request that is still proposed; None for every other."""
    request = await read_request(state.database.hot, principal, request_id)
    if request is None or request["status"] != RequestStatus.PROPOSED or request["source"] != RequestSource.TRANSFER:
        return None
    units = request["quantity"] if quantity is None else quantity
    wanted = TransferWanted(
        request["source_warehouse"], request["warehouse"], [TransferWantedLine(request["sku"], units)]
    )
    once = IdempotentCall("replenishment", str(request_id), "transfer:create", hash_input([request_id, units]))
    remarks = Remarks("REPLENISHMENT", reference=f"replenishment:{request_id}")
    made = await create_transfer(state, FloorCall(principal, provenance, remarks, once), wanted)
    return f"transfer:{made['transfer']['id']}"


async def _follow_transfer(connection: Any, document: str | None) -> None:
    """It may have been cancelled between being made and being named here."""
    if document is None or not document.startswith("transfer:"):
        return
    status = TransferState(await connection.fetchval(_STATE, UUID(document.removeprefix("transfer:"))))
    if status in ENDED:
        await end_request(connection, document, came=status is not TransferState.CANCELLED)


async def reject_request(
    state: State, principal: Principal, request_id: UUID, note: str, actor: str, call: IdempotentCall | None
) -> Answer:
    """Not to be ordered, and why. What is still wanted at the next change of the line is proposed again.

    Raises `Refusal` INVALID_INPUT, REQUEST_NOT_FOUND, WRONG_STATE unless it is PROPOSED.
    """

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        if not note.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, "Say why.", ("note",))
        request = await _lock(connection, principal, request_id)
        await _decide(connection, request_id, RequestStatus.REJECTED, request["quantity"], note, None, actor)
        return {"request": await answer_request(connection, request_id)}

    return await run_once(state.database, call, decide)


async def _lock(connection: Any, principal: Principal, request_id: UUID) -> Any:
    request = await connection.fetchrow(_LOCK, request_id)
    if request is None or not principal.sees_warehouse(request["warehouse_id"]):
        raise Refusal(RefusalCode.REQUEST_NOT_FOUND, "There is no such request.", ("id",))
    if request["status"] != RequestStatus.PROPOSED:
        raise Refusal(RefusalCode.WRONG_STATE, f"The request is {request['status']} already.", ("id",))
    return request


async def _decide(
    connection: Any,
    request_id: UUID,
    status: RequestStatus,
    units: int,
    note: str | None,
    document: str | None,
    actor: str,
) -> None:
    await connection.execute(_DECIDE, request_id, status.value, units, note, document, actor)
