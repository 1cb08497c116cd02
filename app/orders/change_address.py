"""Change who an order goes to, and erase it."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

import orjson

from adapters.channels.base import Address, ChannelOrder
from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.exceptions.open_cases import open_cases
from app.orders.change_order import keep_contact, read_kept_contact
from app.orders.find_order import change_found, check_open, show_order
from app.orders.keep_contact import read_contact, seal_contact, write_destination
from app.orders.lock_order import OrderNow
from app.orders.tell_address import is_moved, tell_address
from app.orders.write_state import OrderEvent, write_state
from app.routing.allocate_order import allocate_order
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

LINES_MAX = 6
COUNTRY_LENGTH = 2


async def change_address(
    state: State,
    principal: Principal,
    order_id: UUID,
    address: Address,
    email: str | None,
    phone: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """E-mail and phone stay when they are left out. What goes elsewhere now is routed anew, as far as no warehouse was
    told of it; who was told of it is told of the address.

    Raises `Refusal` INVALID_INPUT, ORDER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE (ended, or erased).
    """

    async def work(connection: Any, order: OrderNow) -> Answer:
        check_address(address, email, phone)
        check_open(order)
        before = orjson.loads(order.row["destination"] or "{}")
        kept, erased = await read_kept_contact(state, connection, order_id)
        if erased:
            raise Refusal(RefusalCode.WRONG_STATE, "The contact of this order was erased for good.", ("id",))
        told = ChannelOrder(
            "", None, datetime.datetime.now(datetime.UTC), (), None, None, None, address, email, phone=phone
        )
        contact = {name: value for name, value in (kept or {}).items() if name in ("email", "phone")}
        merged = contact | read_contact(told)
        await keep_contact(connection, order_id, seal_or_refuse(state, merged))
        goal = write_destination(told)
        changes = {"destination": orjson.dumps(goal).decode()}
        await write_state(connection, order, changes, [OrderEvent("ADDRESS_CHANGED")], provenance.actor)
        if is_moved(kept or {}, merged):
            await open_cases(connection, await tell_address(connection, order))
        return {"elsewhere": goal != before}

    answer = await change_found(state, principal, order_id, call, work)
    if answer["elsewhere"]:
        await allocate_order(state, order_id, "CHANGED", anew=True, provenance=provenance)
    return {**answer, "order": await show_order(state.database.hot, principal, order_id)}


def make_address(
    name: str | None,
    lines: tuple[str, ...],
    city: str | None,
    region: str | None,
    postal_code: str | None,
    country_code: str,
) -> Address:
    """Without the blanks that forms leave."""
    kept = tuple(line.strip() for line in lines if line.strip())
    return Address(name or None, kept, city or None, region or None, postal_code or None, country_code)


def seal_or_refuse(state: State, contact: dict[str, Any]) -> bytes:
    """Raises `Refusal` INVALID_INPUT without a key: personal data is never kept in the clear."""
    sealed = seal_contact(state.settings, contact)
    if sealed is None:
        message = "Set ONHAND_SECRET_KEY first: names and addresses are kept encrypted."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("address",))
    return sealed


def check_address(address: Address, email: str | None, phone: str | None) -> None:
    """Raises `Refusal` INVALID_INPUT."""
    country = address.country_code or ""
    if len(country) != COUNTRY_LENGTH or not (country.isascii() and country.isalpha() and country.isupper()):
        message = "A country is two capital letters of ISO 3166, such as DE."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("address", "countryCode"))
    if len(address.lines) > LINES_MAX:
        message = f"An address has at most {LINES_MAX} lines."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("address", "lines"))
    for name in ("name", "city", "region", "postal_code"):
        check_text(getattr(address, name), name, 200, path=("address",))
    for line in address.lines:
        check_text(line, "lines", 200, path=("address",))
    check_text(email, "email", 320)
    check_text(phone, "phone", 50)
