"""One action of the warehouse floor: checked, done once under its key in one transaction, and told."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import orjson

from adapters.postgres.feed import PLACE
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.bins.place_units import Placing, place_units
from app.calls import check_moment, check_remarks
from app.counts.suspect_stock import suspect_refused
from app.run_once import Answer, refuse_once, run_once
from app.say_moment import say_moment
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import Book, Posting, StockKey

P = TypeVar("P")
_TELL = f"""
INSERT INTO feed (xid, topic, key, warehouse_id, channel_id, payload) VALUES ({PLACE}, $1, $2, $3, $4, $5::json)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class FloorCall:
    """Who acts, why, under which key, and when it happened if that was not now (a tablet without network)."""

    principal: Principal
    provenance: Provenance
    remarks: Remarks
    call: IdempotentCall | None = None
    occurred_at: datetime.datetime | None = None

    def at(self, now: datetime.datetime) -> datetime.datetime:
        return self.occurred_at or now


class Leg(NamedTuple):
    """A posting, and where in the input it comes from. None of its units: nothing is posted.

    `document`: another than that of the whole. `bin`: into which the units go, or from which they were taken.
    """

    key: StockKey
    source: str
    target: str
    quantity: int
    path: tuple[str, ...] = ()
    document: str | None = None
    bin: str | None = None


async def perform(
    state: State,
    act: FloorCall,
    prepare: Callable[[], Awaitable[P]],
    decide: Callable[[Any, P, datetime.datetime], Awaitable[Answer]],
) -> Answer:
    """Do it once per key.

    `prepare` looks things up before the transaction, so that none waits for a second connection; `decide` gets its
    connection, what was prepared and the present time. Raises `Refusal` INVALID_INPUT (remarks, time), then theirs.
    """
    try:
        check_remarks(act.remarks)
        check_moment(act.occurred_at)
        prepared = await prepare()
    except Refusal as refusal:
        return await refuse_once(state.database, act.call, refusal)

    async def once(connection: Any) -> Answer:
        await say_moment(connection, act.occurred_at)
        return await decide(connection, prepared, datetime.datetime.now(datetime.UTC))

    try:
        answer = await run_once(state.database, act.call, once)
    except Refusal as refusal:
        await suspect_refused(state.database.hot, refusal)
        raise
    state.doorbell.ring("feed")
    return answer


async def post_legs(
    connection: Any,
    act: FloorCall,
    document: str,
    legs: Iterable[Leg],
    now: datetime.datetime,
    expected: Iterable[tuple[StockKey, int]] = (),
) -> tuple[Book, list[int]]:
    """Lock, post and write as one. `expected`: changes of `incoming`. Returns the book and ids of its movements.

    Raises `Refusal` INSUFFICIENT_STOCK, INVALID_QUANTITY; of a leg's bin BIN_NOT_FOUND, INVALID_INPUT, BIN_FULL.
    """
    moves, hopes = [leg for leg in legs if leg.quantity], list(expected)
    book = await lock_rows(connection, [*(leg.key for leg in moves), *(key for key, _ in hopes)])
    for leg in moves:
        _post_leg(book, leg)
    for key, quantity in hopes:
        book.expect(key, quantity)
    footings = [Footing(act.provenance, act.remarks, leg.document or document, act.occurred_at) for leg in moves]
    ids = await write_book(connection, book, footings, now)
    for house in sorted({leg.key.warehouse_id for leg in moves if leg.bin is not None}):
        placings = [_place(leg) for leg in moves if leg.bin is not None and leg.key.warehouse_id == house]
        await place_units(connection, house, placings, done=act.occurred_at is not None)
    return book, ids


def _post_leg(book: Book, leg: Leg) -> None:
    """Who moves more than stands there by the books has it in hand; what is only promised is no doubt."""
    balance = book.balances[leg.key]
    there = balance.sound if leg.source == "available" else balance[leg.source]
    try:
        book.post(Posting(leg.key, leg.source, leg.target, leg.quantity), leg.path)
    except Refusal as refusal:
        if refusal.code is RefusalCode.INSUFFICIENT_STOCK and leg.target != "committed" and there < leg.quantity:
            refusal.doubt = leg.key
        raise


def _place(leg: Leg) -> Placing:
    units = leg.quantity if leg.target == "available" else -leg.quantity
    path = leg.path[:2] if leg.path[:1] == ("lines",) else ()
    return Placing(leg.key.sku_id, leg.bin or "", units, path)


async def tell(
    connection: Any, topic: str, key: Any, warehouse_ids: Iterable[int], channel_id: int | None = None
) -> None:
    """A feed row that names what changed. Call it last, with what changed locked (decision 8)."""
    houses = list(warehouse_ids)
    payload = orjson.dumps({"warehouses": houses}).decode()
    await connection.execute(_TELL, topic, str(key), houses[0], channel_id, payload)


def refuse_end(principal: Principal, warehouse_id: int, doing: str) -> None:
    """Raises `Refusal` NOT_ALLOWED for somebody of another warehouse than the one where this is done."""
    if not principal.sees_warehouse(warehouse_id):
        message = f"Your token is limited to other warehouses than the one that is to {doing}."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))
