"""`orderCreate`, `…Cancel`, `…Hold`, `…Release`, `…MarkPaid`, `…LineLink`, `…AddressUpdate`, `…PromiseUpdate` and
`…Erase`.
"""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import decode_uuid
from api.orders.types import Order, order_from_row
from api.scalars import MoneyInput, UserError
from app.calls import make_call
from app.orders.cancel_units import CancelLine, cancel_order_units
from app.orders.change_address import change_address, make_address
from app.orders.create_order import CreateLine, OrderCreate, create_order
from app.orders.erase_contact import erase_order
from app.orders.hold_order import hold_order, let_order_go
from app.orders.link_line import link_line
from app.orders.mark_paid import mark_paid
from app.orders.move_promise import NewPromise, update_promise
from domain.identity import Role
from domain.provenance import Remarks

SELLERS = requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.SUPPORT], "orders:write")
KEEPERS = requires([Role.ADMIN, Role.SUPPORT], "orders:write")


@strawberry.input(description="Who it goes to, and where.")
class OrderAddressInput:
    country_code: str = strawberry.field(description="ISO 3166-1 alpha-2.")
    name: str | None = None
    lines: list[str] = strawberry.field(default_factory=list, description="Company, street and house; at most 6.")
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None


@strawberry.input
class OrderCreateLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    external_id: str | None = strawberry.field(default=None, description="The customer's own; its number if left out.")
    unit_price: MoneyInput | None = None


@strawberry.input
class OrderCreateInput:
    channel: str = strawberry.field(description="Code of a B2B channel.")
    lines: list[OrderCreateLine]
    external_id: str | None = strawberry.field(default=None, description="The customer's own, once per channel.")
    name: str | None = strawberry.field(default=None, description="What people call it; the external id if left out.")
    address: OrderAddressInput | None = None
    email: str | None = None
    phone: str | None = None
    ship_by: datetime.datetime | None = None
    deliver_by: datetime.datetime | None = None
    total: MoneyInput | None = None
    paid: bool = strawberry.field(
        default=True, description="False: stock is held, nothing is released before `orderMarkPaid`."
    )
    idempotency_key: str | None = None


@strawberry.input
class OrderCancelLine:
    line: str = strawberry.field(description="External id of the line.")
    quantity: int


@strawberry.input
class OrderCancelInput:
    id: strawberry.ID
    lines: list[OrderCancelLine] | None = strawberry.field(default=None, description="Left out: all of it.")
    reason: str = "CANCELLED_BY_SELLER"
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class OrderHoldInput:
    id: strawberry.ID
    reason: str
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class OrderReleaseInput:
    id: strawberry.ID
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class OrderMarkPaidInput:
    id: strawberry.ID
    note: str | None = strawberry.field(default=None, description="The payment's reference. No personal data.")
    idempotency_key: str | None = None


@strawberry.input
class OrderLineLinkInput:
    id: strawberry.ID
    line: str = strawberry.field(description="External id of the line.")
    sku: str = strawberry.field(description="Code or barcode.")
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class OrderAddressUpdateInput:
    id: strawberry.ID
    address: OrderAddressInput
    email: str | None = strawberry.field(default=None, description="Left out: as it was.")
    phone: str | None = strawberry.field(default=None, description="Left out: as it was.")
    idempotency_key: str | None = None


@strawberry.input
class OrderPromiseUpdateInput:
    id: strawberry.ID
    ship_by: datetime.datetime | None = strawberry.field(default=None, description="To come. Left out: as it was.")
    deliver_by: datetime.datetime | None = strawberry.field(default=None, description="To come. Left out: as it was.")
    note: str | None = strawberry.field(default=None, description="How it was agreed on. No personal data.")
    idempotency_key: str | None = None


@strawberry.input
class OrderEraseInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class OrderPayload:
    user_errors: list[UserError]
    order: Order | None = None


@strawberry.type
class OrderCreatePayload(OrderPayload): ...


@strawberry.type(description="Units of a line that a warehouse has begun to work on, and was asked to cancel.")
class AskedUnits:
    line: str
    quantity: int


@strawberry.type
class OrderCancelPayload(OrderPayload):
    asked: list[AskedUnits] = strawberry.field(
        default_factory=list, description="Not cancelled yet: whether they are is the warehouse's to say."
    )


@strawberry.type
class OrderHoldPayload(OrderPayload): ...


@strawberry.type
class OrderReleasePayload(OrderPayload): ...


@strawberry.type
class OrderMarkPaidPayload(OrderPayload): ...


@strawberry.type
class OrderLineLinkPayload(OrderPayload): ...


@strawberry.type
class OrderAddressUpdatePayload(OrderPayload): ...


@strawberry.type
class OrderPromiseUpdatePayload(OrderPayload): ...


@strawberry.type
class OrderErasePayload(OrderPayload): ...


def _show(made: dict[str, Any]) -> dict[str, Any]:
    return {"order": None if made["order"] is None else order_from_row(made["order"])}


def read_address(given: OrderAddressInput | None) -> Any:
    if given is None:
        return None
    return make_address(given.name, tuple(given.lines), given.city, given.region, given.postal_code, given.country_code)


async def _create(context: Context, command: OrderCreateInput) -> dict[str, Any]:
    lines = [
        CreateLine(line.sku, line.quantity, line.external_id, line.unit_price.amount, line.unit_price.currency)
        if line.unit_price is not None
        else CreateLine(line.sku, line.quantity, line.external_id)
        for line in command.lines
    ]
    wanted = OrderCreate(
        command.channel,
        lines,
        read_address(command.address),
        command.email,
        command.phone,
        command.external_id,
        command.name,
        command.ship_by,
        command.deliver_by,
        None if command.total is None else command.total.amount,
        None if command.total is None else command.total.currency,
        command.paid,
    )
    call = make_call(context.principal, "order:create", command.idempotency_key, wanted)
    provenance = context.provenance(command.idempotency_key)
    return _show(await create_order(context.state, context.principal, wanted, provenance, call))


async def _cancel(context: Context, command: OrderCancelInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    lines = None if command.lines is None else [CancelLine(line.line, line.quantity) for line in command.lines]
    remarks = Remarks(command.reason, command.note)
    call = make_call(context.principal, "order:cancel", key, [order_id, lines, remarks])
    given = (lines, remarks, context.provenance(key), call)
    made = await cancel_order_units(context.state, context.principal, order_id, *given)
    asked = [AskedUnits(line=line, quantity=quantity) for line, quantity in made["asked"].items()]
    return {**_show(made), "asked": asked}


async def _hold(context: Context, command: OrderHoldInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    call = make_call(context.principal, "order:hold", key, [order_id, command.reason, command.note])
    given = (command.reason, command.note, context.provenance(key), call)
    return _show(await hold_order(context.state, context.principal, order_id, *given))


async def _release(context: Context, command: OrderReleaseInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    call = make_call(context.principal, "order:release", key, [order_id, command.note])
    given = (command.note, context.provenance(key), call)
    return _show(await let_order_go(context.state, context.principal, order_id, *given))


async def _mark_paid(context: Context, command: OrderMarkPaidInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    call = make_call(context.principal, "order:paid", key, [order_id, command.note])
    given = (command.note, context.provenance(key), call)
    return _show(await mark_paid(context.state, context.principal, order_id, *given))


async def _link_line(context: Context, command: OrderLineLinkInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    given = (command.line, command.sku, command.note)
    call = make_call(context.principal, "order:link", key, [order_id, *given])
    return _show(await link_line(context.state, context.principal, order_id, *given, context.provenance(key), call))


async def _update_address(context: Context, command: OrderAddressUpdateInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    address = read_address(command.address)
    call = make_call(context.principal, "order:address", key, [order_id, address, command.email, command.phone])
    given = (address, command.email, command.phone, context.provenance(key), call)
    return _show(await change_address(context.state, context.principal, order_id, *given))


async def _update_promise(context: Context, command: OrderPromiseUpdateInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    wanted = NewPromise(command.ship_by, command.deliver_by, command.note)
    call = make_call(context.principal, "order:promise", key, [order_id, wanted])
    given = (wanted, context.provenance(key), call)
    return _show(await update_promise(context.state, context.principal, order_id, *given))


async def _erase(context: Context, command: OrderEraseInput) -> dict[str, Any]:
    order_id, key = decode_uuid(command.id, "Order"), command.idempotency_key
    call = make_call(context.principal, "order:erase", key, order_id)
    return _show(await erase_order(context.state, context.principal, order_id, context.provenance(key), call))


@strawberry.type
class OrderMutation:
    @strawberry.mutation(
        directives=SELLERS,
        description="Place an order of a B2B channel: recorded and allocated in one step. What nothing can fill is "
        "backordered, and promised by itself when stock arrives.",
    )
    async def order_create(self, info: Info, input: OrderCreateInput) -> OrderCreatePayload:
        return await answer(OrderCreatePayload, _create(info.context, input))

    @strawberry.mutation(
        directives=SELLERS,
        description="All that is not shipped, or some units. What a warehouse has begun it is asked to cancel.",
    )
    async def order_cancel(self, info: Info, input: OrderCancelInput) -> OrderCancelPayload:
        return await answer(OrderCancelPayload, _cancel(info.context, input))

    @strawberry.mutation(directives=SELLERS, description="Stock stays promised; nothing goes on in any warehouse.")
    async def order_hold(self, info: Info, input: OrderHoldInput) -> OrderHoldPayload:
        return await answer(OrderHoldPayload, _hold(info.context, input))

    @strawberry.mutation(directives=SELLERS, description="Let a held order go.")
    async def order_release(self, info: Info, input: OrderReleaseInput) -> OrderReleasePayload:
        return await answer(OrderReleasePayload, _release(info.context, input))

    @strawberry.mutation(
        directives=SELLERS,
        description="An order of a B2B channel that was placed unpaid: it is released as usual from now on. "
        "NOT_ALLOWED for orders that are paid at their channel.",
    )
    async def order_mark_paid(self, info: Info, input: OrderMarkPaidInput) -> OrderMarkPaidPayload:
        return await answer(OrderMarkPaidPayload, _mark_paid(info.context, input))

    @strawberry.mutation(
        directives=SELLERS,
        description="What a line is, of which its channel told no SKU or one that nobody knows. It is routed at once. "
        "To know the next ones link the listing (`listingLink`), or give the SKU that barcode.",
    )
    async def order_line_link(self, info: Info, input: OrderLineLinkInput) -> OrderLineLinkPayload:
        return await answer(OrderLineLinkPayload, _link_line(info.context, input))

    @strawberry.mutation(directives=SELLERS, description="Until it is shipped or cancelled.")
    async def order_address_update(self, info: Info, input: OrderAddressUpdateInput) -> OrderAddressUpdatePayload:
        return await answer(OrderAddressUpdatePayload, _update_address(info.context, input))

    @strawberry.mutation(
        directives=SELLERS,
        description="Promise it for another date, as agreed on with the buyer. The case PROMISE_AT_RISK ends when the "
        "promise is not at risk any more. Dates that its channel said before do not undo it.",
    )
    async def order_promise_update(self, info: Info, input: OrderPromiseUpdateInput) -> OrderPromiseUpdatePayload:
        return await answer(OrderPromiseUpdatePayload, _update_promise(info.context, input))

    @strawberry.mutation(
        directives=KEEPERS,
        description="Erase for good who a shipped or cancelled order was for, also from what its channel sent. The "
        "order keeps country and region.",
    )
    async def order_erase(self, info: Info, input: OrderEraseInput) -> OrderErasePayload:
        return await answer(OrderErasePayload, _erase(info.context, input))
