"""Move goods between bins, or from where they came in into one: the ledger does not change, only where they stand.

What stands in no bin by the books is on the floor: a warehouse without bins has everything there, and may begin with
bins at any time.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.ledger import lock_rows
from app.bins.place_units import PUT, bin_not_found, check_room, lock_bins, read_volumes
from app.catalog.lookup import sku_not_found
from app.floor.perform import FloorCall, perform
from app.run_once import Answer
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.stock import StockKey, check_quantity

_PLACED = """
SELECT (SELECT coalesce(sum(c.quantity), 0) FROM bin_contents c JOIN bins b ON b.id = c.bin_id
        WHERE b.warehouse_id = $1 AND c.sku_id = $2)::int
     + (SELECT coalesce(sum(p.quantity), 0) FROM pick_records p WHERE p.warehouse_id = $1 AND p.sku_id = $2)::int
"""
"""Units in bins, and those that were picked and wait to be shipped."""
_TAKE = """
UPDATE bin_contents SET quantity = quantity - $3, updated_at = now()
WHERE bin_id = $1 AND sku_id = $2 AND quantity >= $3 RETURNING quantity
"""


@dataclass(frozen=True, slots=True)
class BinMoveLine:
    """`source` None: from the floor, that is in no bin. `target` None: onto the floor."""

    sku: str
    quantity: int
    source: str | None = None
    target: str | None = None


async def move_bins(state: State, act: FloorCall, warehouse: str, lines: Sequence[BinMoveLine]) -> Answer:
    """`moves` of the answer: for each line what both bins hold of the SKU afterwards; all lines or none, once per key.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, then for each line
    INVALID_QUANTITY, SKU_NOT_FOUND, INVALID_INPUT (nowhere, blocked), BIN_NOT_FOUND, BIN_FULL, INSUFFICIENT_STOCK.
    What was done before (`occurred_at`) is not refused for a bin that is blocked or full.
    """

    async def prepare() -> tuple[int, list[int]]:
        check_line_count(len(lines))
        house = await state.lookup.find_warehouse(warehouse, act.principal, ("warehouse",))
        return house.id, await _find_skus(state, lines)

    async def decide(connection: Any, given: tuple[int, list[int]], _: datetime.datetime) -> Answer:
        house_id, skus = given
        book = await lock_rows(connection, {StockKey(sku, house_id) for sku in skus})
        names = (name for line in lines for name in (line.source, line.target) if name is not None)
        bins = await lock_bins(connection, house_id, names)
        volumes = await read_volumes(connection, skus)
        moves = []
        for index, (line, sku_id) in enumerate(zip(lines, skus, strict=True)):
            path, key = ("lines", str(index)), StockKey(sku_id, house_id)
            _check(line, bins, volumes[sku_id] * line.quantity, path, done=act.occurred_at is not None)
            if line.source is None:
                free = book.balances[key].sound - await connection.fetchval(_PLACED, house_id, sku_id)
                message = f"Only {max(0, free)} of it stand in no bin."
                _require(free >= line.quantity, message, path, key)
            moves.append(await _move(connection, line, bins, key, path))
        return {"moves": moves}

    return await perform(state, act, prepare, decide)


async def _find_skus(state: State, lines: Sequence[BinMoveLine]) -> list[int]:
    found = await state.lookup.find_skus(line.sku for line in lines)
    for index, line in enumerate(lines):
        check_quantity(line.quantity, ("lines", str(index), "quantity"))
        if line.sku not in found:
            raise sku_not_found(line.sku, ("lines", str(index), "sku"))
    return [found[line.sku] for line in lines]


def _check(
    line: BinMoveLine, bins: dict[str, dict[str, Any]], volume_ml: int, path: tuple[str, ...], *, done: bool
) -> None:
    """Where it goes must be there and have room; a move within the batch counts."""
    if line.source == line.target:
        raise Refusal(RefusalCode.INVALID_INPUT, "Name another bin, or the one it comes from or goes to.", path)
    for field, name in (("from", line.source), ("to", line.target)):
        if name is not None and name not in bins:
            raise bin_not_found(name, (*path, field))
    if line.target is not None:
        check_room(bins[line.target], volume_ml, (*path, "to"), done=done)
    if line.source is not None:
        bins[line.source]["used_ml"] -= volume_ml


async def _move(
    connection: Any, line: BinMoveLine, bins: dict[str, dict[str, Any]], key: StockKey, path: tuple[str, ...]
) -> dict[str, Any]:
    left = there = None
    if line.source is not None:
        left = await connection.fetchval(_TAKE, bins[line.source]["id"], key.sku_id, line.quantity)
        message = f"Bin {line.source!r} does not hold {line.quantity} of it: count the bin."
        _require(left is not None, message, path, key)
    if line.target is not None:
        there = await connection.fetchval(PUT, bins[line.target]["id"], key.sku_id, line.quantity)
    return {
        "sku": line.sku,
        "quantity": line.quantity,
        "source": line.source,
        "target": line.target,
        "source_holds": left,
        "target_holds": there,
    }


def _require(right: bool, message: str, path: tuple[str, ...], key: StockKey) -> None:
    """Whoever moves it has it in hand: the books are to be doubted."""
    if not right:
        raise Refusal(RefusalCode.INSUFFICIENT_STOCK, message, (*path, "quantity"), doubt=key)
