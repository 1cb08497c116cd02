"""`transfers`, and the mutations of a transfer's life."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.floor.approvals import Adjustment, show_adjustment
from api.floor.operation import PUT_INTO, REF, FloorInput, FloorOperation, decode_ref, do, plain
from api.floor.transfer_types import Transfer, TransferConnection, transfer_from_row
from api.scalars import UserError, after_uuid, check_names, make_page, page_size
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from app.transfers.approve_transfer import approve_transfer
from app.transfers.create_transfer import TransferWanted, TransferWantedLine, create_transfer
from app.transfers.end_transfer import cancel_transfer, close_transfer
from app.transfers.pick_transfer import pick_transfer
from app.transfers.read_transfers import TransferFilter as Chosen
from app.transfers.read_transfers import count_transfers, read_transfers
from app.transfers.receive_transfer import ArrivalLine, receive_transfer
from app.transfers.ship_transfer import ship_transfer
from domain.identity import Role
from domain.transfers import TransferState

DESK = (Role.ADMIN, Role.OPERATIONS)
FLOOR = (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE)
DOCK = (*FLOOR, Role.PARTNER)
SCOPE = "transfers:write"


@strawberry.input
class TransferFilter:
    states: list[TransferState] | None = None
    warehouses: list[str] | None = strawberry.field(default=None, description="Codes, of either end.")
    sources: list[str] | None = None
    destinations: list[str] | None = None
    skus: list[str] | None = None
    reference: str | None = None


@strawberry.input
class TransferCreateLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int


@strawberry.input
class TransferCreateInput(FloorInput):
    source: str = strawberry.field(description="Warehouse code.")
    destination: str
    lines: list[TransferCreateLine]
    expected_at: datetime.datetime | None = None


@strawberry.input
class TransferApproveInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class TransferPickLine:
    sku: str
    quantity: int = strawberry.field(description="Picked now; it adds to what was picked before.")


@strawberry.input
class TransferPickInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    lines: list[TransferPickLine]


@strawberry.input
class TransferShipInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    carrier: str | None = None
    tracking_number: str | None = None
    expected_at: datetime.datetime | None = strawberry.field(default=None, description="When it should arrive.")


@strawberry.input
class TransferReceiveLine:
    sku: str
    received: int = 0
    damaged: int = 0
    missing: int = strawberry.field(default=0, description="It may still turn up, until the transfer is closed.")
    cause: str | None = strawberry.field(default=None, description="Of the damage.")
    evidence: str | None = strawberry.field(default=None, description="Where a picture of it is.")
    bin: str | None = strawberry.field(default=None, description=PUT_INTO)


@strawberry.input
class TransferReceiveInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    lines: list[TransferReceiveLine]
    warehouse: str | None = strawberry.field(
        default=None, description="Where it stands. Refused if it was called back and goes elsewhere by the books."
    )


@strawberry.input
class TransferCloseInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class TransferCancelInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.type
class TransferPayload:
    user_errors: list[UserError]
    transfer: Transfer | None = None


@strawberry.type
class TransferCreatePayload(TransferPayload): ...


@strawberry.type
class TransferApprovePayload(TransferPayload): ...


@strawberry.type
class TransferPickPayload(TransferPayload): ...


@strawberry.type
class TransferShipPayload(TransferPayload): ...


@strawberry.type
class TransferReceivePayload(TransferPayload): ...


@strawberry.type
class TransferClosePayload(TransferPayload):
    adjustment: Adjustment | None = strawberry.field(
        default=None, description="Above what you may adjust alone nothing has moved: this waits for a second person."
    )


@strawberry.type
class TransferCancelPayload(TransferPayload): ...


async def _show(_: Context, made: Answer) -> dict[str, Any]:
    return {"transfer": transfer_from_row(made["transfer"])}


async def _show_close(context: Context, made: Answer) -> dict[str, Any]:
    return {**await _show(context, made), "adjustment": await show_adjustment(context, made)}


async def _create(state: State, act: FloorCall, command: TransferCreateInput) -> Answer:
    lines = [TransferWantedLine(line.sku, line.quantity) for line in command.lines]
    wanted = TransferWanted(command.source, command.destination, lines, command.expected_at)
    return await create_transfer(state, act, wanted)


async def _approve(state: State, act: FloorCall, command: TransferApproveInput) -> Answer:
    return await approve_transfer(state, act, decode_ref(command.id, "transfer"))


async def _pick(state: State, act: FloorCall, command: TransferPickInput) -> Answer:
    lines = [TransferWantedLine(line.sku, line.quantity) for line in command.lines]
    return await pick_transfer(state, act, decode_ref(command.id, "transfer"), lines)


async def _ship(state: State, act: FloorCall, command: TransferShipInput) -> Answer:
    said = (command.carrier, command.tracking_number, command.expected_at)
    return await ship_transfer(state, act, decode_ref(command.id, "transfer"), *said)


async def _receive(state: State, act: FloorCall, command: TransferReceiveInput) -> Answer:
    lines = [
        ArrivalLine(line.sku, line.received, line.damaged, line.missing, line.cause, line.evidence, line.bin)
        for line in command.lines
    ]
    return await receive_transfer(state, act, decode_ref(command.id, "transfer"), lines, command.warehouse)


async def _close(state: State, act: FloorCall, command: TransferCloseInput) -> Answer:
    return await close_transfer(state, act, decode_ref(command.id, "transfer"))


async def _cancel(state: State, act: FloorCall, command: TransferCancelInput) -> Answer:
    return await cancel_transfer(state, act, decode_ref(command.id, "transfer"))


CREATE = FloorOperation("transferCreate", "transfer:create", FLOOR, SCOPE, "TRANSFER_CREATED", _create, _show, plain)
APPROVE = FloorOperation(
    "transferApprove", "transfer:approve", DESK, SCOPE, "TRANSFER_APPROVED", _approve, _show, plain
)
PICK = FloorOperation("transferPick", "transfer:pick", DOCK, SCOPE, "TRANSFER_PICKED", _pick, _show, plain)
SHIP = FloorOperation("transferShip", "transfer:ship", DOCK, SCOPE, "TRANSFER_SHIPPED", _ship, _show, plain)
RECEIVE = FloorOperation(
    "transferReceive", "transfer:receive", DOCK, SCOPE, "TRANSFER_RECEIVED", _receive, _show, plain
)
CLOSE = FloorOperation("transferClose", "transfer:close", DESK, SCOPE, "TRANSFER_LOST", _close, _show_close, plain)
CANCEL = FloorOperation("transferCancel", "transfer:cancel", DESK, SCOPE, "TRANSFER_CANCELLED", _cancel, _show, plain)
OPERATIONS = (CREATE, APPROVE, PICK, SHIP, RECEIVE, CLOSE, CANCEL)


@strawberry.type
class TransferMutation:
    @strawberry.mutation(
        directives=CREATE.directives,
        description="The units are held at once; above what you may move alone a second person approves first.",
    )
    async def transfer_create(self, info: Info, input: TransferCreateInput) -> TransferCreatePayload:
        return await answer(TransferCreatePayload, do(info.context, CREATE, input))

    @strawberry.mutation(directives=APPROVE.directives, description="Never by whoever created it.")
    async def transfer_approve(self, info: Info, input: TransferApproveInput) -> TransferApprovePayload:
        return await answer(TransferApprovePayload, do(info.context, APPROVE, input))

    @strawberry.mutation(
        directives=PICK.directives,
        description="In as many parts as it takes. Told with the time when it was done, even after it was shipped.",
    )
    async def transfer_pick(self, info: Info, input: TransferPickInput) -> TransferPickPayload:
        return await answer(TransferPickPayload, do(info.context, PICK, input))

    @strawberry.mutation(
        directives=SHIP.directives,
        description="What was picked, or all of it when nobody picked; the rest goes back to the shelf.",
    )
    async def transfer_ship(self, info: Info, input: TransferShipInput) -> TransferShipPayload:
        return await answer(TransferShipPayload, do(info.context, SHIP, input))

    @strawberry.mutation(directives=RECEIVE.directives, description="In as many parts as it comes.")
    async def transfer_receive(self, info: Info, input: TransferReceiveInput) -> TransferReceivePayload:
        return await answer(TransferReceivePayload, do(info.context, RECEIVE, input))

    @strawberry.mutation(
        directives=CLOSE.directives,
        description="What is still on the way is written off, above what you may adjust alone by a second person.",
    )
    async def transfer_close(self, info: Info, input: TransferCloseInput) -> TransferClosePayload:
        return await answer(TransferClosePayload, do(info.context, CLOSE, input))

    @strawberry.mutation(
        directives=CANCEL.directives,
        description="Before it is shipped the units go back to the shelf; on the way they turn round.",
    )
    async def transfer_cancel(self, info: Info, input: TransferCancelInput) -> TransferCancelPayload:
        return await answer(TransferCancelPayload, do(info.context, CANCEL, input))


@strawberry.type
class TransferQuery:
    @strawberry.field(directives=requires(EVERYONE, "stock:read"), description="Newest first.")
    async def transfers(
        self, info: Info, filter: TransferFilter | None = None, first: int = 50, after: str | None = None
    ) -> TransferConnection:
        size, before = page_size(first), after_uuid(after, "TransferCursor")
        f = filter or TransferFilter()
        for name in ("warehouses", "sources", "destinations", "skus"):
            check_names(getattr(f, name), name)
        chosen = Chosen(f.states, f.warehouses, f.sources, f.destinations, f.skus, f.reference)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_transfers(database, principal, chosen, before, size + 1)
        page = make_page([transfer_from_row(row) for row in rows], size, "TransferCursor", after)
        return TransferConnection(count=partial(count_transfers, database, principal, chosen), **page)
