"""Say how many units of a SKU a warehouse keeps back: none of them is published, or promised by rules that keep it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import lock_rows, write_safety_stock
from app.catalog.lookup import sku_not_found
from app.run_once import Answer, run_once
from app.state import State
from app.stock.move_stock import level_answer
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.stock import QUANTITY_MAX, StockKey, check_version

_KITS = "SELECT kit_id FROM kit_components WHERE kit_id = ANY($1::int[])"


@dataclass(frozen=True, slots=True)
class SafetyLine:
    """`quantity`: units kept back from now on; 0: none."""

    sku: str
    quantity: int
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class SafetyStockSet:
    warehouse: str
    lines: tuple[SafetyLine, ...]


async def set_safety_stock(
    state: State, principal: Principal, command: SafetyStockSet, call: IdempotentCall | None
) -> Answer:
    """`levels` of the answer as they are afterwards, in the order of the lines, once per key: all lines or nothing.

    No unit moves. What is kept already is not written again. A warehouse may be told before it is LIVE.

    Raises `Refusal` INVALID_INPUT or TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, then for each line
    INVALID_QUANTITY, SKU_NOT_FOUND, DUPLICATE_LINE, INVALID_INPUT for a kit, and at last STALE_VERSION.
    """

    async def decide(connection: Any) -> Answer:
        lines = await _resolve(state, connection, principal, command)
        book = await lock_rows(connection, lines)
        now = datetime.datetime.now(datetime.UTC)
        for index, (key, line) in enumerate(lines.items()):
            check_version(book.balances[key], line.expected_version, ("lines", str(index), "expectedVersion"))
        wanted = {key: line.quantity for key, line in lines.items()}
        changed = await write_safety_stock(connection, book, wanted, now)
        return {"levels": [level_answer(key, book.balances[key], now if key in changed else None) for key in lines]}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


async def _resolve(
    state: State, connection: Any, principal: Principal, command: SafetyStockSet
) -> dict[StockKey, SafetyLine]:
    check_line_count(len(command.lines))
    house = await state.lookup.find_warehouse(command.warehouse, principal, ("warehouse",), booking=True)
    skus = await state.lookup.find_skus(line.sku for line in command.lines)
    kits = {row["kit_id"] for row in await connection.fetch(_KITS, list(skus.values()))}
    lines: dict[StockKey, SafetyLine] = {}
    for index, line in enumerate(command.lines):
        key = StockKey(_check_line(line, skus, kits, ("lines", str(index))), house.id)
        if key in lines:
            message = f"SKU {line.sku!r} comes twice: make one line of them."
            raise Refusal(RefusalCode.DUPLICATE_LINE, message, ("lines", str(index), "sku"))
        lines[key] = line
    return lines


def _check_line(line: SafetyLine, skus: dict[str, int], kits: set[int], path: tuple[str, ...]) -> int:
    """The id of its SKU. Raises `Refusal`."""
    if not 0 <= line.quantity <= QUANTITY_MAX:
        message = f"Safety stock is a whole number from 0 to {QUANTITY_MAX}."
        raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
    sku_id = skus.get(line.sku)
    if sku_id is None:
        raise sku_not_found(line.sku, (*path, "sku"))
    if sku_id in kits:
        message = f"SKU {line.sku!r} is a kit, which has no stock itself: keep back its components."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "sku"))
    return sku_id
