"""What an exchange is made of: the return and its order as they are found, to whom it goes, what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from adapters.channels.base import Address, ChannelOrderLine
from app.catalog.upsert import check_cost
from app.floor.find_document import DocumentRef, find_document, not_found, write_label
from app.orders.change_address import check_address
from app.orders.create_order import CreateLine, prepare_lines
from app.orders.keep_contact import open_contact
from app.returns.read_returns import sees_return
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exchanges import Sent
from domain.identity import Principal

_FIND = """
SELECT r.id, r.number, r.warehouse_id, r.channel_id, o.id AS order_id, o.channel_id AS sold_by,
  coalesce(o.name, o.external_id) AS label, o.currency, o.destination::text AS destination, c.sealed,
  c.erased_at IS NOT NULL AS erased
FROM returns r LEFT JOIN orders o ON o.id = r.order_id LEFT JOIN order_contacts c ON c.order_id = o.id WHERE r.id = $1
"""
_PRICES = """
SELECT sku_id, min(unit_price) FROM order_lines WHERE order_id = $1 AND sku_id IS NOT NULL AND unit_price IS NOT NULL
GROUP BY sku_id HAVING min(unit_price) = max(unit_price)
"""
"""What was sold at two prices in one order has none that could be meant."""


@dataclass(frozen=True, slots=True)
class ExchangeLine:
    """SKU code or barcode, units. `unit_price`: amount and currency that a unit takes of the refund; None: what the
    order says that it costs.
    """

    sku: str
    quantity: int
    unit_price: tuple[Decimal, str] | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """To whom and where it is sent. Coordinates in degrees."""

    address: Address
    email: str | None = None
    phone: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A return, and the order that it is of: its channel, what people call it, its currency, where it went."""

    return_id: UUID
    label: str
    order_id: UUID
    channel_id: int
    order_label: str
    currency: str | None
    destination: dict[str, Any]
    sealed: bytes | None
    erased: bool


async def find_exchanged(connection: Any, principal: Principal, ref: DocumentRef) -> Exchanged:
    """Raises `Refusal` RETURN_NOT_FOUND, INVALID_INPUT (of no order), ORDER_NOT_FOUND (another's channel)."""
    row = await connection.fetchrow(_FIND, await find_document(connection, principal, "return", ref))
    if row is None or not sees_return(principal, row):
        raise not_found("return")
    if row["order_id"] is None:
        message = "The return is of no order that is on record: who it would be sent to is not known."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("id",))
    if not principal.sees_channel(row["sold_by"]):
        raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("id",))
    goal = orjson.loads(row["destination"] or "{}") or {}
    order = (row["order_id"], row["sold_by"], row["label"], row["currency"], goal)
    return Exchanged(row["id"], write_label("return", row["number"]), *order, row["sealed"], row["erased"])


def erased() -> Refusal:
    message = "Who the order went to was erased for good: give an address."
    return Refusal(RefusalCode.INVALID_INPUT, message, ("address",))


def choose_goal(state: State, found: Exchanged, given: Goal | None) -> Goal:
    """E-mail and phone are the order's unless they are given. Raises `Refusal` INVALID_INPUT."""
    contact = open_contact(state.settings, found.sealed) or {}
    email, phone = contact.get("email"), contact.get("phone")
    if given is not None:
        check_address(given.address, given.email, given.phone)
        return Goal(given.address, given.email or email, given.phone or phone)
    if found.erased:
        raise erased()
    place = found.destination
    city, region, code = (contact.get(name) or place.get(name) for name in ("city", "region", "postal_code"))
    country = contact.get("country_code") or place.get("country")
    address = Address(contact.get("name"), tuple(contact.get("lines") or ()), city, region, code, country)
    return Goal(address, email, phone, place.get("latitude"), place.get("longitude"))


async def price_lines(
    state: State, found: Exchanged, lines: Sequence[ExchangeLine]
) -> tuple[tuple[ChannelOrderLine, ...], Sent]:
    """Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, INVALID_QUANTITY, SKU_NOT_FOUND."""
    currency = _choose_currency(found, lines)
    known = dict(await state.database.hot.fetch(_PRICES, found.order_id)) if currency == found.currency else {}
    skus = await state.lookup.find_skus(line.sku for line in lines)
    prices = [line.unit_price[0] if line.unit_price else known.get(skus.get(line.sku)) for line in lines]
    wanted = [CreateLine(line.sku, line.quantity, None, price) for line, price in zip(lines, prices, strict=True)]
    prepared = await prepare_lines(state, wanted)
    return prepared, Sent(tuple((line.quantity, price) for line, price in zip(lines, prices, strict=True)), currency)


def _choose_currency(found: Exchanged, lines: Sequence[ExchangeLine]) -> str | None:
    given = {line.unit_price[1] for line in lines if line.unit_price is not None}
    for index, line in enumerate(lines):
        if line.unit_price is not None:
            check_cost(*line.unit_price, ("lines", str(index), "unitPrice"))
    if len(given) > 1:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give all prices in one currency.", ("lines",))
    return next(iter(given), found.currency)
