"""Orders placed through our own API: direct B2B, with the guarantees that a channel's orders have."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.catalog.upsert import check_cost
from app.channels.note_sales import note_sales
from app.channels.see_channels import find_channel
from app.kits.expand_kits import expand_kits
from app.orders.change_address import check_address, seal_or_refuse
from app.orders.find_order import show_order
from app.orders.keep_contact import read_contact
from app.orders.place_order import place_order
from app.orders.take_order import tell_problem
from app.run_once import Answer, refuse_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance
from domain.stock import check_quantity

LINES_MAX = 1_000
_CHANNEL = "SELECT kind, status FROM channels WHERE id = $1"


@dataclass(frozen=True, slots=True)
class CreateLine:
    """`sku`: code or barcode. `external_id`: the customer's own number of the line. `currency`: of the price."""

    sku: str
    quantity: int
    external_id: str | None = None
    unit_price: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class OrderCreate:
    """`external_id`: the customer's own number, once per channel; one is made when it is left out. `paid` False:
    nothing is released before it is paid.
    """

    channel: str
    lines: Sequence[CreateLine]
    address: Address | None = None
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    name: str | None = None
    ship_by: datetime.datetime | None = None
    deliver_by: datetime.datetime | None = None
    total: Decimal | None = None
    currency: str | None = None
    paid: bool = True


async def create_order(
    state: State, principal: Principal, wanted: OrderCreate, provenance: Provenance, call: IdempotentCall | None
) -> Answer:
    """Record and allocate it, once per key and once per external id; what nothing can fill is backordered.

    Raises `Refusal`, in this order: NOT_ALLOWED (a token limited to warehouses), CHANNEL_NOT_FOUND, NOT_ALLOWED (not a
    B2B channel), WRONG_STATE (paused), INVALID_INPUT, TOO_MANY_LINES, for each line INVALID_QUANTITY, SKU_NOT_FOUND
    or DUPLICATE_LINE, INVALID_INPUT for amounts below zero or of several currencies, and ALREADY_EXISTS for an external
    id that is on record.
    """
    try:
        channel_id, order = await _prepare(state, principal, wanted)
        order = await expand_kits(state, channel_id, order)
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)
    order_id = uuid7()
    try:
        answer = await place_order(state, channel_id, order, order_id=order_id, provenance=provenance, call=call)
    except asyncpg.UniqueViolationError:
        message = f"Channel {wanted.channel!r} has an order {order.external_id!r} already."
        return await refuse_once(state.database, call, Refusal(RefusalCode.ALREADY_EXISTS, message, ("externalId",)))
    if str(answer["id"]) == str(order_id):
        await note_sales(state.database, channel_id, order)
        if answer["status"] != "ALLOCATED":
            await tell_problem(state, order_id)
    return {"order": await show_order(state.database.hot, principal, UUID(str(answer["id"])))}


async def _prepare(state: State, principal: Principal, wanted: OrderCreate) -> tuple[int, ChannelOrder]:
    if principal.warehouse_ids is not None:
        raise Refusal(RefusalCode.NOT_ALLOWED, "Your token is limited to warehouses: an order may need others.")
    channel_id = await _find_b2b(state, principal, wanted.channel)
    for field in ("external_id", "name"):
        value = getattr(wanted, field)
        check_text(value, field, 100)
        if value is not None and not value.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, f"{field} is not blank: leave it out.", (field,))
    if wanted.address is not None:
        check_address(wanted.address, wanted.email, wanted.phone)
    if wanted.ship_by and wanted.deliver_by and wanted.ship_by > wanted.deliver_by:
        raise Refusal(RefusalCode.INVALID_INPUT, "It would ship after it is to arrive.", ("shipBy",))
    lines = await prepare_lines(state, wanted.lines)
    currency = _find_currency(wanted)
    external_id = wanted.external_id or uuid7().hex
    order = ChannelOrder(
        external_id,
        wanted.name or external_id,
        datetime.datetime.now(datetime.UTC),
        lines,
        wanted.address.country_code if wanted.address else None,
        None,
        None,
        wanted.address,
        wanted.email,
        pending=not wanted.paid,
        ship_by=wanted.ship_by,
        phone=wanted.phone,
        deliver_by=wanted.deliver_by,
        total=wanted.total,
        currency=currency,
    )
    if contact := read_contact(order):
        seal_or_refuse(state, contact)
    return channel_id, order


def _find_currency(wanted: OrderCreate) -> str | None:
    """An order has one. Raises `Refusal` INVALID_INPUT."""
    check_cost(wanted.total, wanted.currency, ("total",))
    found = wanted.currency
    for index, line in enumerate(wanted.lines):
        path = ("lines", str(index), "unitPrice")
        check_cost(line.unit_price, line.currency, path)
        if line.currency is not None:
            found = found or line.currency
            if line.currency != found:
                message = f"Give all amounts in one currency: {found}, as those before."
                raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "currency"))
    return found


async def _find_b2b(state: State, principal: Principal, code: str) -> int:
    channel_id = await find_channel(state.database.hot, principal, code)
    found: Any = await state.database.hot.fetchrow(_CHANNEL, channel_id)
    if found["kind"] != "B2B":
        message = f"Orders of {code!r} are placed there: only B2B channels take them here."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("channel",))
    if found["status"] == "PAUSED":
        raise Refusal(RefusalCode.WRONG_STATE, f"Channel {code!r} is paused.", ("channel",))
    return channel_id


async def prepare_lines(state: State, lines: Sequence[CreateLine]) -> tuple[ChannelOrderLine, ...]:
    """Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, INVALID_QUANTITY, SKU_NOT_FOUND, DUPLICATE_LINE."""
    if not lines:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give at least one line.", ("lines",))
    if len(lines) > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines: split the order.", ("lines",))
    known = await state.lookup.find_skus(line.sku for line in lines)
    made: dict[str, ChannelOrderLine] = {}
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        check_quantity(line.quantity, (*path, "quantity"))
        check_text(line.external_id, "externalId", 100, path=path)
        if line.sku not in known:
            raise sku_not_found(line.sku, (*path, "sku"))
        name = line.external_id or str(index + 1)
        if name in made:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"Line {name!r} is given twice.", (*path, "externalId"))
        made[name] = ChannelOrderLine(name, line.sku, None, line.quantity, line.unit_price)
    return tuple(made.values())
