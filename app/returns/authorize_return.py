"""Support authorises a return: of an order, as much as was shipped and has not come back, or of something unknown."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.calls import check_text
from app.catalog.upsert import check_cost
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, perform, tell
from app.returns.count_sold import count_sold, find_order
from app.returns.link_exchange import link_order
from app.returns.make_return import ReturnHead, make_return
from app.returns.read_returns import answer_return
from app.returns.split_kits import split_kits
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.returns import ReturnLine, ReturnOrigin, check_authorized
from domain.stock import check_quantity


@dataclass(frozen=True, slots=True)
class ReturnWantedLine:
    """SKU code or barcode, units."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderName:
    """An order by its id, or by its channel and the channel's own id."""

    id: UUID | None = None
    channel: str | None = None
    external_id: str | None = None


NO_ORDER = OrderName()


@dataclass(frozen=True, slots=True)
class ReturnWanted:
    """`refund`: amount and currency that the customer is to get. `exchange`: the order sent instead."""

    warehouse: str
    lines: Sequence[ReturnWantedLine]
    order: OrderName = NO_ORDER
    order_reference: str | None = None
    exchange: OrderName = NO_ORDER
    exchange_reference: str | None = None
    expected_by: datetime.datetime | None = None
    refund: tuple[Decimal, str] | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    warehouse_id: int
    order_id: UUID | None
    exchange_order_id: UUID | None
    lines: list[tuple[int, ReturnWantedLine, int]]


async def authorize_return(state: State, act: FloorCall, wanted: ReturnWanted) -> Answer:
    """`return` of the answer is expected by `expected_by`, or in `return_expected_days`.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, ORDER_NOT_FOUND, INVALID_INPUT, TOO_MANY_LINES,
    SKU_NOT_FOUND, DUPLICATE_LINE, INVALID_QUANTITY; NOT_SOLD and OVER_RETURN when there is an order.
    """

    async def decide(connection: Any, given: _Prepared, now: datetime.datetime) -> Answer:
        if given.order_id is not None:
            await _check_sold(connection, given.order_id, given.lines)
        at = act.at(now)
        expected_by = wanted.expected_by or at + datetime.timedelta(days=state.settings.return_expected_days)
        head = ReturnHead(
            *(ReturnOrigin.SUPPORT, given.warehouse_id, act.provenance.actor, expected_by),
            reason=act.remarks.reason,
            note=act.remarks.note,
            order_id=given.order_id,
            order_reference=wanted.order_reference or act.remarks.reference,
            exchange_order_id=given.exchange_order_id,
            exchange_reference=wanted.exchange_reference,
            refund=wanted.refund,
        )
        lines = [ReturnLine(index, sku_id, line.quantity) for index, (sku_id, line, _) in enumerate(given.lines)]
        return_id = await make_return(connection, head, lines, at)
        if given.exchange_order_id is not None and given.order_id is not None:
            await link_order(connection, given.exchange_order_id, given.order_id)
        await tell(connection, "return", return_id, [given.warehouse_id])
        return {"return": await answer_return(connection, return_id)}

    return await perform(state, act, lambda: _prepare(state, act, wanted), decide)


async def _prepare(state: State, act: FloorCall, wanted: ReturnWanted) -> _Prepared:
    house = await state.lookup.find_warehouse(wanted.warehouse, act.principal, ("warehouse",))
    order = wanted.order
    order_id = await find_order(state, act.principal, order.id, order.channel, order.external_id)
    exchange = wanted.exchange
    exchange_id = await find_order(state, act.principal, exchange.id, exchange.channel, exchange.external_id)
    check_text(wanted.order_reference, "orderReference", 200)
    check_text(wanted.exchange_reference, "exchangeReference", 200)
    if exchange_id is not None and exchange_id == order_id:
        raise Refusal(RefusalCode.INVALID_INPUT, "An order is not exchanged for itself.", ("exchangeOrder",))
    lines = await find_lines(state.lookup, wanted.lines)
    for index, (_, line) in enumerate(lines):
        check_quantity(line.quantity, ("lines", str(index), "quantity"))
    if wanted.refund is not None:
        check_cost(wanted.refund[0], wanted.refund[1], ("refund",))
    split = await split_kits(state.database.hot, lines)
    return _Prepared(house.id, order_id, exchange_id, split)


async def _check_sold(connection: Any, order_id: UUID, lines: Sequence[tuple[int, ReturnWantedLine, int]]) -> None:
    found = await count_sold(connection, order_id)
    for sku_id, line, index in lines:
        sold = found.sold.get(sku_id)
        taken = found.taken.get(sku_id, 0)
        check_authorized(line.quantity, sold, taken, line.sku, ("lines", str(index)))
