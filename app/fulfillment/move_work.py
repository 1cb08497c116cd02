"""Give work, or a part of it, to another fulfilment order: at another warehouse, or for later."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.ledger import lock_rows, write_book
from app.catalog.lookup import sku_not_found
from app.fulfillment.change_work import Ask, change_work
from app.fulfillment.free_day import free_day
from app.fulfillment.lock_work import Work, note_event, set_lines, set_work
from app.fulfillment.move_units import count_skus, footing_of
from app.fulfillment.read_work import read_works_by_ids
from app.kits.keep_whole import refuse_broken
from app.run_once import Answer
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentAction, FulfillmentStatus
from domain.identity import Principal
from domain.stock import Posting, StockKey
from domain.work_lines import plan_parcel

_MAKE = """
INSERT INTO fulfillment_orders (id, order_id, warehouse_id, status, release_at, ship_by)
VALUES ($1, $2, $3, 'SCHEDULED', $4, $5)
"""
_MAKE_LINES = """
INSERT INTO fulfillment_order_lines (fulfillment_order_id, line, sku_id, quantity)
SELECT $1, l, s, q FROM unnest($2::int[], $3::int[], $4::int[]) AS g (l, s, q)
"""

_SENT = """
SELECT EXISTS (SELECT FROM partner_orders o JOIN partners p ON p.id = o.partner_id
  WHERE o.fulfillment_order_id = $1 AND p.kind <> 'API' AND o.state <> 'ENDED')
"""
_WITHDRAW = """
DELETE FROM partner_orders WHERE fulfillment_order_id = $1 AND state = 'PENDING' AND attempts = 0
RETURNING fulfillment_order_id
"""
"""What nobody was sent yet is taken back before a worker can; what is left here is given anew."""


async def move_work(state: State, principal: Principal, ask: Ask, warehouse: str) -> Answer:
    """All that is left of it, to another warehouse; `made` of the answer is the fulfilment order there.

    Raises `Refusal` as every change does, and WRONG_STATE while units of it are to be cancelled, then
    WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, INVALID_INPUT for the same warehouse, INSUFFICIENT_STOCK.
    """

    async def decide(connection: Any, work: Work) -> dict[str, Any]:
        await _check_free(connection, work)
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        if house.id == work.warehouse_id:
            raise Refusal(RefusalCode.INVALID_INPUT, "It is there already: name another warehouse.", ("warehouse",))
        units = {line.line: line.bound for line in work.lines if line.bound}
        await _move_stock(connection, work, units, house.id, ask)
        await set_lines(connection, work, [x._replace(cancelled=x.cancelled + x.bound) for x in work.lines])
        ended = FulfillmentStatus.CANCELLED
        await set_work(connection, work.id, status=ended, accept_by=None)
        await free_day(connection, work)
        made = await _make_work(connection, work, house.id, units, None)
        data = {"to": warehouse, "made": str(made)}
        await note_event(connection, work, ask.provenance, "MOVED", ask.at(), ask.note, **data)
        return {"made": (await read_works_by_ids(connection, [made]))[0]}

    return await change_work(state, principal, ask, FulfillmentAction.MOVE, decide)


async def split_work(
    state: State,
    principal: Principal,
    ask: Ask,
    lines: Sequence[tuple[str, int]],
    release_at: datetime.datetime | None = None,
) -> Answer:
    """These units become a fulfilment order of their own in the same warehouse; `made` of the answer.

    Raises `Refusal` as every change does, then TOO_MANY_LINES, for each line SKU_NOT_FOUND, INVALID_QUANTITY,
    SKU_NOT_IN_ORDER, OVER_SHIP; INVALID_INPUT when nothing would be left, INVALID_QUANTITY for part of a kit.
    """

    skus = await state.lookup.find_skus(code for code, _ in lines)

    async def decide(connection: Any, work: Work) -> dict[str, Any]:
        await _check_free(connection, work)
        check_line_count(len(lines))
        for index, (code, _) in enumerate(lines):
            if code not in skus:
                raise sku_not_found(code, ("lines", str(index), "sku"))
        units = plan_parcel(work.lines, [(skus[code], count) for code, count in lines])
        if sum(units.values()) == sum(line.bound for line in work.lines):
            raise Refusal(RefusalCode.INVALID_INPUT, "Leave something of it where it is.", ("lines",))
        await refuse_broken(connection, work.order_id, work.lines, units)
        after = [line._replace(cancelled=line.cancelled + units.get(line.line, 0)) for line in work.lines]
        await set_lines(connection, work, after)
        await set_work(connection, work.id)
        made = await _make_work(connection, work, work.warehouse_id, units, release_at)
        await note_event(connection, work, ask.provenance, "SPLIT", ask.at(), ask.note, made=str(made))
        return {"made": (await read_works_by_ids(connection, [made]))[0]}

    return await change_work(state, principal, ask, FulfillmentAction.SPLIT, decide)


async def _check_free(connection: Any, work: Work) -> None:
    """What a partner that is called was sent stays what it was sent: its contract has no other word for it."""
    if await connection.fetchval(_WITHDRAW, work.id) is None and await connection.fetchval(_SENT, work.id):
        message = (
            "Its partner was sent the order and may ship it: have the partner reject it, or reject it in its name "
            "(fulfillmentOrderReject), and it is promised from elsewhere."
        )
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    if any(line.requested for line in work.lines):
        message = "Units of it are to be cancelled: answer that with fulfillmentOrderCancel first, or ship it."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


async def _move_stock(connection: Any, work: Work, units: Mapping[int, int], house_id: int, ask: Ask) -> None:
    """The promise goes over, not the goods: back on the shelf here, bound there."""
    by_sku = count_skus(work, units)
    houses = (work.warehouse_id, house_id)
    book = await lock_rows(connection, (StockKey(sku_id, house) for sku_id in by_sku for house in houses))
    for sku_id, quantity in by_sku.items():
        book.post(Posting(StockKey(sku_id, house_id), "available", "committed", quantity), ("warehouse",))
        book.post(Posting(StockKey(sku_id, work.warehouse_id), "committed", "available", quantity))
    footing = footing_of(work, "WORK_MOVED", ask.provenance, ask.occurred_at, f"fulfillment_order:{work.id}")
    now = datetime.datetime.now(datetime.UTC)
    await write_book(connection, book, [footing] * len(book.entries), now)


async def _make_work(
    connection: Any, work: Work, house_id: int, units: Mapping[int, int], release_at: datetime.datetime | None
) -> UUID:
    """SCHEDULED, and without a day: the release loop finds it one."""
    made = uuid7()
    await connection.execute(_MAKE, made, work.order_id, house_id, release_at, work.row["ship_by"])
    skus = {line.line: line.sku_id for line in work.lines}
    lines = list(units)
    await connection.execute(_MAKE_LINES, made, lines, [skus[line] for line in lines], list(units.values()))
    return made
