"""`returns`, and the mutations of a return's life."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.floor.operation import PUT_INTO, REF, FloorInput, FloorOperation, decode_ref, do, plain
from api.floor.return_types import Return, ReturnConnection, return_from_row
from api.ids import decode_uuid
from api.scalars import MoneyInput, UserError, after_uuid, check_names, make_page, page_size
from app.floor.perform import FloorCall
from app.returns.authorize_return import OrderName, ReturnWanted, ReturnWantedLine, authorize_return
from app.returns.end_return import cancel_return, close_return
from app.returns.inspect_return import InspectedLine, inspect_return
from app.returns.read_returns import ReturnFilter as Chosen
from app.returns.read_returns import count_returns, read_returns
from app.returns.receive_return import Parcel, ReceivedLine, receive_return
from app.returns.step_refund import step_refund
from app.run_once import Answer
from app.state import State
from domain.identity import Role
from domain.returns import Condition, Custody, Disposition, MoneyTrack, ReturnOrigin, ReturnState

CARE = (Role.ADMIN, Role.OPERATIONS, Role.SUPPORT, Role.ECOMMERCE)
FLOOR = (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE)
SCOPE = "returns:write"


@strawberry.input
class ReturnFilter:
    states: list[ReturnState] | None = None
    custody: list[Custody] | None = None
    conditions: list[Condition] | None = None
    money: list[MoneyTrack] | None = None
    origins: list[ReturnOrigin] | None = None
    warehouses: list[str] | None = None
    channel: str | None = strawberry.field(default=None, description="Code.")
    order: strawberry.ID | None = None


@strawberry.input(description="An order by its id, or by its channel and the channel's own id of it.")
class ReturnOrderInput:
    id: strawberry.ID | None = None
    channel: str | None = strawberry.field(default=None, description="Code.")
    external_id: str | None = None


@strawberry.input
class ReturnAuthorizeLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int


@strawberry.input
class ReturnAuthorizeInput(FloorInput):
    warehouse: str = strawberry.field(description="Where it is to be sent.")
    lines: list[ReturnAuthorizeLine]
    order: ReturnOrderInput | None = strawberry.field(
        default=None, description="At most what was shipped with it comes back."
    )
    order_reference: str | None = strawberry.field(default=None, description="Of an order that we do not know.")
    exchange_order: ReturnOrderInput | None = strawberry.field(default=None, description="The order sent instead.")
    exchange_reference: str | None = None
    expected_by: datetime.datetime | None = None
    refund: MoneyInput | None = strawberry.field(default=None, description="What is due to the customer.")


@strawberry.input
class ReturnReceiveLine:
    quantity: int
    sku: str | None = strawberry.field(default=None, description="Code or barcode.")
    unknown_item: str | None = strawberry.field(default=None, description="In words, when nobody knows the thing.")


@strawberry.input
class ReturnReceiveInput(FloorInput):
    lines: list[ReturnReceiveLine]
    id: strawberry.ID | None = strawberry.field(default=None, description=REF + " Left out: nobody announced it.")
    warehouse: str | None = strawberry.field(default=None, description="Where it came, when nobody announced it.")
    order: ReturnOrderInput | None = None
    order_reference: str | None = None


@strawberry.input
class ReturnInspectLine:
    sku: str
    quantity: int
    disposition: Disposition
    grade: str | None = None
    evidence: str | None = strawberry.field(default=None, description="Where a picture of it is.")
    note: str | None = None
    bin: str | None = strawberry.field(default=None, description=f"For RESTOCK. {PUT_INTO}")


@strawberry.input
class ReturnInspectInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    lines: list[ReturnInspectLine]


@strawberry.input
class ReturnCloseInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class ReturnCancelInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class ReturnRefundInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    step: MoneyTrack
    refund: MoneyInput | None = None


@strawberry.type
class ReturnPayload:
    user_errors: list[UserError]
    return_: Return | None = strawberry.field(name="return", default=None)


@strawberry.type
class ReturnAuthorizePayload(ReturnPayload): ...


@strawberry.type
class ReturnReceivePayload(ReturnPayload): ...


@strawberry.type
class ReturnInspectPayload(ReturnPayload): ...


@strawberry.type
class ReturnClosePayload(ReturnPayload): ...


@strawberry.type
class ReturnCancelPayload(ReturnPayload): ...


@strawberry.type
class ReturnRefundPayload(ReturnPayload): ...


async def _show(_: Context, made: Answer) -> dict[str, Any]:
    return {"return_": return_from_row(made["return"])}


def _order(given: ReturnOrderInput | None, field: str) -> OrderName:
    if given is None:
        return OrderName()
    key = None if given.id is None else decode_uuid(given.id, "Order", (field, "id"))
    return OrderName(key, given.channel, given.external_id)


def _money(given: MoneyInput | None) -> Any:
    return None if given is None else (given.amount, given.currency)


async def _authorize(state: State, act: FloorCall, command: ReturnAuthorizeInput) -> Answer:
    wanted = ReturnWanted(
        command.warehouse,
        [ReturnWantedLine(line.sku, line.quantity) for line in command.lines],
        _order(command.order, "order"),
        command.order_reference,
        _order(command.exchange_order, "exchangeOrder"),
        command.exchange_reference,
        command.expected_by,
        _money(command.refund),
    )
    return await authorize_return(state, act, wanted)


async def _receive(state: State, act: FloorCall, command: ReturnReceiveInput) -> Answer:
    parcel = Parcel(
        [ReceivedLine(line.quantity, line.sku, line.unknown_item) for line in command.lines],
        None if command.id is None else decode_ref(command.id, "return"),
        command.warehouse,
        _order(command.order, "order"),
        command.order_reference,
    )
    return await receive_return(state, act, parcel)


async def _inspect(state: State, act: FloorCall, command: ReturnInspectInput) -> Answer:
    lines = [
        InspectedLine(line.sku, line.quantity, line.disposition, line.grade, line.evidence, line.note, line.bin)
        for line in command.lines
    ]
    return await inspect_return(state, act, decode_ref(command.id, "return"), lines)


async def _close(state: State, act: FloorCall, command: ReturnCloseInput) -> Answer:
    return await close_return(state, act, decode_ref(command.id, "return"))


async def _cancel(state: State, act: FloorCall, command: ReturnCancelInput) -> Answer:
    return await cancel_return(state, act, decode_ref(command.id, "return"))


async def _refund(state: State, act: FloorCall, command: ReturnRefundInput) -> Answer:
    return await step_refund(state, act, decode_ref(command.id, "return"), command.step, _money(command.refund))


PAYERS = (Role.ADMIN, Role.OPERATIONS, Role.SUPPORT, Role.FINANCE)
AUTHORIZE = FloorOperation("returnAuthorize", "return:authorize", CARE, SCOPE, "RETURN", _authorize, _show, plain)
RECEIVE = FloorOperation(
    *("returnReceive", "return:receive", (*FLOOR, Role.PARTNER), SCOPE, "RETURN_RECEIVED"), _receive, _show, plain
)
INSPECT = FloorOperation("returnInspect", "return:inspect", FLOOR, SCOPE, "RETURN_INSPECTED", _inspect, _show, plain)
CLOSE = FloorOperation(
    *("returnClose", "return:close", (*FLOOR, Role.SUPPORT), SCOPE, "RETURN_CLOSED"), _close, _show, plain
)
CANCEL = FloorOperation("returnCancel", "return:cancel", CARE, SCOPE, "RETURN_CANCELLED", _cancel, _show, plain)
REFUND = FloorOperation("returnRefund", "return:refund", PAYERS, SCOPE, "REFUND", _refund, _show, plain)
OPERATIONS = (AUTHORIZE, RECEIVE, INSPECT, CLOSE, CANCEL, REFUND)


@strawberry.type
class ReturnMutation:
    @strawberry.mutation(directives=AUTHORIZE.directives, description="By support: it is expected from now on.")
    async def return_authorize(self, info: Info, input: ReturnAuthorizeInput) -> ReturnAuthorizePayload:
        return await answer(ReturnAuthorizePayload, do(info.context, AUTHORIZE, input))

    @strawberry.mutation(
        directives=RECEIVE.directives,
        description="At the dock, in as many parts as it comes. A parcel is never refused for being wrong: what is odd "
        "is a case.",
    )
    async def return_receive(self, info: Info, input: ReturnReceiveInput) -> ReturnReceivePayload:
        return await answer(ReturnReceivePayload, do(info.context, RECEIVE, input))

    @strawberry.mutation(directives=INSPECT.directives, description="Restocked units are for sale at once.")
    async def return_inspect(self, info: Info, input: ReturnInspectInput) -> ReturnInspectPayload:
        return await answer(ReturnInspectPayload, do(info.context, INSPECT, input))

    @strawberry.mutation(directives=CLOSE.directives, description="All that came is inspected; the rest never came.")
    async def return_close(self, info: Info, input: ReturnCloseInput) -> ReturnClosePayload:
        return await answer(ReturnClosePayload, do(info.context, CLOSE, input))

    @strawberry.mutation(directives=CANCEL.directives, description="Only before anything came.")
    async def return_cancel(self, info: Info, input: ReturnCancelInput) -> ReturnCancelPayload:
        return await answer(ReturnCancelPayload, do(info.context, CANCEL, input))

    @strawberry.mutation(directives=REFUND.directives, description="The money, whatever became of the goods.")
    async def return_refund(self, info: Info, input: ReturnRefundInput) -> ReturnRefundPayload:
        return await answer(ReturnRefundPayload, do(info.context, REFUND, input))


@strawberry.type
class ReturnQuery:
    @strawberry.field(directives=requires(EVERYONE, "stock:read"), description="Newest first.")
    async def returns(
        self, info: Info, filter: ReturnFilter | None = None, first: int = 50, after: str | None = None
    ) -> ReturnConnection:
        size, before = page_size(first), after_uuid(after, "ReturnCursor")
        f = filter or ReturnFilter()
        check_names(f.warehouses, "warehouses")
        order = None if f.order is None else decode_uuid(f.order, "Order", ("filter", "order"))
        lists = (f.states, f.custody, f.conditions, f.money, f.origins, f.warehouses)
        chosen = Chosen(*lists, f.channel, order)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_returns(database, principal, chosen, before, size + 1)
        page = make_page([return_from_row(row) for row in rows], size, "ReturnCursor", after)
        return ReturnConnection(count=partial(count_returns, database, principal, chosen), **page)
