"""Answer a return with an exchange: an order that is sent instead, linked to both, in one transaction with its stock.

It is an order like any other, of the same channel and to the same person, routed and promised with the guarantees of
all others. Its channel does not know it, and is told nothing of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from adapters.postgres.ledger import Footing
from app.floor.find_document import DocumentRef
from app.floor.perform import FloorCall, perform
from app.kits.expand_kits import expand_kits
from app.orders.change_address import seal_or_refuse
from app.orders.find_order import show_order
from app.orders.keep_contact import read_contact, seal_contact
from app.orders.place_order import PlaceOrder, place_again, prepare_place
from app.orders.take_order import tell_problem
from app.orders.write_order import NewOrder, OrderLine
from app.orders.write_state import OrderEvent, note_events
from app.returns.hold_return import HeldReturn, keep_return, lock_return
from app.returns.prepare_exchange import (
    Exchanged,
    ExchangeLine,
    Goal,
    choose_goal,
    erased,
    find_exchanged,
    price_lines,
)
from app.run_once import Answer
from app.state import State
from app.stock.run_commands import run_alone
from domain.errors import Refusal, RefusalCode
from domain.exchanges import RefundNow, Sent, take_exchange
from domain.orders import OrderStatus
from domain.returns import MoneyTrack, ReturnState

_HOLD = "SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE"
_ERASED = "SELECT erased_at IS NOT NULL FROM order_contacts WHERE order_id = $1"
_TELL = "UPDATE orders SET updated_at = clock_timestamp() WHERE id = $1"
_NOW = """
SELECT r.money, r.refund_amount, r.refund_currency, r.exchange_reference, coalesce(e.name, e.external_id) AS exchange,
  e.status AS exchange_status,
  r.refund_state = 'SENT' OR (r.refund_state = 'PENDING' AND r.refund_first_at IS NOT NULL) AS telling
FROM returns r LEFT JOIN orders e ON e.id = r.exchange_order_id WHERE r.id = $1
"""


@dataclass(frozen=True, slots=True)
class ExchangeWanted:
    """`goal` None: to whom and where the order went that is exchanged."""

    lines: Sequence[ExchangeLine]
    goal: Goal | None = None
    ship_by: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    found: Exchanged
    sent: Sent
    place: PlaceOrder


async def exchange_return(state: State, act: FloorCall, ref: DocumentRef, wanted: ExchangeWanted) -> Answer:
    """`return` and `order` of the answer; what nothing can fill is backordered, as of any order.

    Raises `Refusal` NOT_ALLOWED (a token limited to warehouses), RETURN_NOT_FOUND, ORDER_NOT_FOUND, INVALID_INPUT,
    TOO_MANY_LINES, INVALID_QUANTITY, SKU_NOT_FOUND, WRONG_STATE (cancelled, exchanged already, its refund on its way),
    OVER_EXCHANGE.
    """

    async def place(attempt: int) -> Answer:
        async def decide(connection: Any, given: _Prepared, now: datetime.datetime) -> Answer:
            return await _decide(connection, act, wanted, given, now)

        return await perform(state, act, lambda: _prepare(state, act, ref, wanted, attempt), decide)

    answer = await place_again(state, place)
    order_id = UUID(answer["orderId"])
    if answer["status"] != "ALLOCATED":
        await tell_problem(state, order_id)
    return {"return": answer["return"], "order": await show_order(state.database.hot, act.principal, order_id)}


async def _prepare(state: State, act: FloorCall, ref: DocumentRef, wanted: ExchangeWanted, attempt: int) -> _Prepared:
    if act.principal.warehouse_ids is not None:
        raise Refusal(RefusalCode.NOT_ALLOWED, "Your token is limited to warehouses: an order may need others.")
    found = await find_exchanged(state.database.hot, act.principal, ref)
    goal = choose_goal(state, found, wanted.goal)
    lines, sent = await price_lines(state, found, wanted.lines)
    order = await expand_kits(state, found.channel_id, _write_order(found, goal, lines, sent, wanted.ship_by))
    new = await _write_new(state, found, order, act.provenance.actor, told=wanted.goal is not None)
    footing = Footing(act.provenance, act.remarks, document=f"order:{new.id}")
    return _Prepared(found, sent, await prepare_place(state, new, footing, None, attempt))


def _write_order(
    found: Exchanged,
    goal: Goal,
    lines: tuple[ChannelOrderLine, ...],
    sent: Sent,
    ship_by: datetime.datetime | None,
) -> ChannelOrder:
    return ChannelOrder(
        f"exchange:{uuid7()}",
        f"{found.order_label} {found.label}",
        datetime.datetime.now(datetime.UTC),
        lines,
        goal.address.country_code,
        goal.latitude,
        goal.longitude,
        goal.address,
        goal.email,
        phone=goal.phone,
        ship_by=ship_by,
        total=sent.worth,
        currency=sent.currency,
    )


async def _write_new(state: State, found: Exchanged, order: ChannelOrder, actor: str, *, told: bool) -> NewOrder:
    """`told`: who it goes to was said just now, and must be kept."""
    contact = read_contact(order)
    sealed = seal_or_refuse(state, contact) if told else seal_contact(state.settings, contact)
    skus = await state.lookup.find_skus(line.sku for line in order.lines if line.sku)
    lines = tuple(OrderLine(line, skus.get(line.sku) if line.sku else None) for line in order.lines)
    linked: dict[str, Any] = {"exchange_of": found.order_id, "channel_knows": False}
    return NewOrder(uuid7(), found.channel_id, order, lines, sealed, actor, note=f"Instead of {found.label}", **linked)


async def _decide(
    connection: Any, act: FloorCall, wanted: ExchangeWanted, given: _Prepared, now: datetime.datetime
) -> Answer:
    """The order that is exchanged is held before its return, as everywhere, and against whoever erases it."""
    original, new = given.found.order_id, given.place.new
    await connection.execute(_HOLD, original)
    if wanted.goal is None and await connection.fetchval(_ERASED, original):
        raise erased()
    held = await lock_return(connection, act.principal, given.found.return_id)
    columns = await _settle(connection, held, given.sent)
    placed = await run_alone(connection, given.place)
    data = {"return": given.found.label, "order": new.order.name}
    await note_events(connection, original, [OrderEvent("EXCHANGED", data=data)], act.provenance.actor)
    await connection.execute(_TELL, original)
    made = await keep_return(connection, held, held.lines, {}, now, exchange_order_id=new.id, **columns)
    return {**made, "orderId": str(new.id), "status": placed["status"]}


async def _settle(connection: Any, held: HeldReturn, sent: Sent) -> dict[str, Any]:
    """What becomes of the money of the locked return."""
    if held.state == ReturnState.CANCELLED:
        raise Refusal(RefusalCode.WRONG_STATE, "The return is CANCELLED: authorise a new one.", ("id",))
    row = await connection.fetchrow(_NOW, held.id)
    if row["exchange_reference"] or (row["exchange"] and row["exchange_status"] != OrderStatus.CANCELLED):
        message = f"{row['exchange'] or row['exchange_reference']!r} is sent instead already: cancel that first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    refund = RefundNow(MoneyTrack(row["money"]), row["refund_amount"], row["refund_currency"], row["telling"])
    left = take_exchange(refund, sent)
    return {"money": left.money.value, "refund_amount": left.amount, "exchange_amount": left.taken}
