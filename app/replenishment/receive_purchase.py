"""Receive a purchase order, in as many parts as it comes; or close it, when no more will come."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.bins.place_units import Placing, place_units
from app.calls import check_moment, check_remarks
from app.catalog.lookup import sku_not_found
from app.damage.keep_damage import DamageFound, keep_damages
from app.floor.perform import FloorCall
from app.replenishment.expect_stock import expect_stock
from app.replenishment.follow_document import end_request
from app.replenishment.raise_alerts import Alert, AlertKind, end_alerts, tell_once
from app.replenishment.read_purchases import answer_purchase
from app.run_once import Answer, run_once
from app.say_moment import say_moment
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.replenishment import PurchaseStatus
from domain.stock import Posting, StockKey, check_quantity

_LOCK = "SELECT * FROM purchase_orders WHERE id = $1 FOR UPDATE"
_LINES = """
SELECT l.*, k.code AS sku FROM purchase_order_lines l JOIN skus k ON k.id = l.sku_id
WHERE l.purchase_order_id = $1 ORDER BY l.line
"""
_RECEIVE = """
UPDATE purchase_order_lines l SET received = l.received + g.units FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.purchase_order_id = $1 AND l.line = g.line
"""
_CHANGE = """
UPDATE purchase_orders SET status = $2, version = version + 1, expected_at = coalesce($3, expected_at),
  ended_at = CASE WHEN $2 IN ('RECEIVED', 'CLOSED') THEN clock_timestamp() END
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class PurchasePart:
    """Units that came of a SKU; `damaged` ones among them are a damage, with its `cause` and `evidence`.

    `bin`: where the others go.
    """

    sku: str
    quantity: int
    damaged: int = 0
    bin: str | None = None
    cause: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class _Came:
    line: Any
    part: PurchasePart
    path: tuple[str, ...]


async def receive_purchase(
    state: State, act: FloorCall, order_id: UUID, parts: Sequence[PurchasePart], allow_over: bool
) -> Answer:
    """`purchase_order` of the answer is the order, once per key. More than was ordered needs `allow_over`.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, PURCHASE_ORDER_NOT_FOUND, WRONG_STATE once it has ended, then for
    each line INVALID_QUANTITY, SKU_NOT_FOUND, INVALID_INPUT (not in this order; texts), DUPLICATE_LINE, OVER_DELIVERY,
    and of a bin BIN_NOT_FOUND, INVALID_INPUT (blocked), BIN_FULL.
    """

    async def decide(connection: Any) -> Answer:
        check_remarks(act.remarks)
        check_moment(act.occurred_at)
        check_line_count(len(parts))
        await say_moment(connection, act.occurred_at)
        order = await _lock(connection, act.principal, order_id)
        lines = await connection.fetch(_LINES, order_id)
        came = await _match(state, lines, parts, allow_over)
        await _post(connection, act, order, came)
        received = {one.line["line"]: one.part.quantity for one in came}
        await connection.execute(_RECEIVE, order_id, list(received), list(received.values()))
        whole = all(line["received"] + received.get(line["line"], 0) >= line["quantity"] for line in lines)
        await _tell_over(connection, order, came)
        status = PurchaseStatus.RECEIVED if whole else PurchaseStatus.PARTLY_RECEIVED
        await _change(connection, order, status, came=True)
        return {"purchase_order": await answer_purchase(connection, order_id)}

    answer = await run_once(state.database, act.call, decide)
    state.doorbell.ring("feed")
    return answer


async def close_purchase(state: State, principal: Principal, order_id: UUID, call: IdempotentCall | None) -> Answer:
    """Expect no more of it. Raises `Refusal` PURCHASE_ORDER_NOT_FOUND, WRONG_STATE once it has ended."""

    async def decide(connection: Any) -> Answer:
        order = await _lock(connection, principal, order_id)
        lines = await connection.fetch(_LINES, order_id)
        missing = {line["sku"]: line["quantity"] - line["received"] for line in lines}
        open_lines = [line for line in lines if missing[line["sku"]] > 0]
        house = order["warehouse_id"]
        changes = {StockKey(line["sku_id"], house): -missing[line["sku"]] for line in open_lines}
        await expect_stock(connection, changes, datetime.datetime.now(datetime.UTC))
        for line in open_lines:
            said = f"Purchase order {_name(order)} ended with {missing[line['sku']]} of {line['sku']} missing."
            await _tell(connection, AlertKind.UNDER_DELIVERY, order, line, said)
        came = any(line["received"] for line in lines)
        await _change(connection, order, PurchaseStatus.CLOSED, came=came)
        return {"purchase_order": await answer_purchase(connection, order_id)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


async def _lock(connection: Any, principal: Principal, order_id: UUID) -> Any:
    order = await connection.fetchrow(_LOCK, order_id)
    if order is None or not principal.sees_warehouse(order["warehouse_id"]):
        raise Refusal(RefusalCode.PURCHASE_ORDER_NOT_FOUND, "There is no such purchase order.", ("id",))
    if order["ended_at"] is not None:
        message = f"The purchase order is {order['status']}: receive what still comes with stockReceive."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    return order


async def _match(state: State, lines: Sequence[Any], parts: Sequence[PurchasePart], allow_over: bool) -> list[_Came]:
    known = {line["sku_id"]: line for line in lines}
    skus = await state.lookup.find_skus(part.sku for part in parts)
    found: dict[int, _Came] = {}
    for index, part in enumerate(parts):
        path = ("lines", str(index))
        check_quantity(part.quantity, (*path, "quantity"))
        if not 0 <= part.damaged <= part.quantity:
            message = "Damaged units are some of those that came."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "damaged"))
        if part.sku not in skus:
            raise sku_not_found(part.sku, (*path, "sku"))
        line = known.get(skus[part.sku])
        if line is None:
            message = f"{part.sku!r} is not in this order: receive it with stockReceive, or send it back."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "sku"))
        if line["line"] in found:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"{part.sku!r} comes twice: add the two up.", path)
        over = line["received"] + part.quantity - line["quantity"]
        if over > 0 and not allow_over:
            message = f"That is {over} more than was ordered: send them back, or say allowOver."
            raise Refusal(RefusalCode.OVER_DELIVERY, message, (*path, "quantity"))
        found[line["line"]] = _Came(line, part, path)
    return list(found.values())


async def _post(connection: Any, act: FloorCall, order: Any, came: Sequence[_Came]) -> None:
    """From the supplier to the shelf, at what the order says it costs; so much less is expected."""
    house, now = order["warehouse_id"], datetime.datetime.now(datetime.UTC)
    keys = [StockKey(one.line["sku_id"], house) for one in came]
    book = await lock_rows(connection, keys)
    footings = []
    document = f"purchase:{order['id']}"
    for key, one in zip(keys, came, strict=True):
        cost = one.line["unit_cost"], one.line["currency"]
        for bucket, units in (("available", one.part.quantity - one.part.damaged), ("damaged", one.part.damaged)):
            if units:
                book.post(Posting(key, "supplier", bucket, units), (*one.path, "quantity"))
                footings.append(Footing(act.provenance, act.remarks, document, act.occurred_at, *cost))
        book.expect(key, -_open_of(one))
    await write_book(connection, book, footings, now)
    placings = [
        Placing(one.line["sku_id"], one.part.bin, one.part.quantity - one.part.damaged, one.path)
        for one in came
        if one.part.bin is not None and one.part.quantity > one.part.damaged
    ]
    await place_units(connection, house, placings, done=act.occurred_at is not None)
    broken = [
        DamageFound(one.line["sku_id"], one.part.damaged, one.part.cause or "DELIVERED", one.part.evidence)
        for one in came
        if one.part.damaged
    ]
    await keep_damages(connection, act, house, "RECEIVING", broken, now, document=document)


def _open_of(one: _Came) -> int:
    """Of what came, the units that were expected."""
    return max(0, min(one.part.quantity, int(one.line["quantity"] - one.line["received"])))


async def _tell_over(connection: Any, order: Any, came: Sequence[_Came]) -> None:
    for one in came:
        over = one.line["received"] + one.part.quantity - one.line["quantity"]
        if over > 0:
            said = f"Purchase order {_name(order)} brought {over} of {one.line['sku']} more than was ordered."
            await _tell(connection, AlertKind.OVER_DELIVERY, order, one.line, said)


async def _tell(connection: Any, kind: AlertKind, order: Any, line: Mapping[str, Any], said: str) -> None:
    subject = f"purchase:{order['id']}.{line['line']}"
    await tell_once(connection, Alert(kind, order["warehouse_id"], line["sku_id"], subject, said))


def _name(order: Any) -> str:
    return str(order["reference"] or order["id"])


async def _change(connection: Any, order: Any, status: PurchaseStatus, *, came: bool) -> None:
    await connection.execute(_CHANGE, order["id"], status.value, None)
    if status in (PurchaseStatus.RECEIVED, PurchaseStatus.CLOSED):
        document = f"purchase:{order['id']}"
        await end_request(connection, document, came=came)
        await end_alerts(connection, [(AlertKind.PURCHASE_OVERDUE, document)])
