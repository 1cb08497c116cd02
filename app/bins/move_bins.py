"""Move goods between bins, or from where they came in into one: the ledger does not change, only where they stand.

What stands in no bin by the books is on the floor: a warehouse without bins has everything there, and may begin with
bins at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import lock_rows
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.run_once import Answer, run_once
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.stock import StockKey, check_quantity

_BINS = """
SELECT b.id, b.code, b.capacity_ml, b.status, z.kind AS zone,
  coalesce((SELECT sum(c.quantity * coalesce(k.volume_ml, 0)) FROM bin_contents c JOIN skus k ON k.id = c.sku_id
            WHERE c.bin_id = b.id), 0)::bigint AS used_ml
FROM bins b JOIN zones z ON z.id = b.zone_id
WHERE b.warehouse_id = $1 AND b.code = ANY($2::text[]) ORDER BY b.id FOR UPDATE OF b
"""
_PLACED = """
SELECT coalesce(sum(c.quantity), 0)::int FROM bin_contents c JOIN bins b ON b.id = c.bin_id
WHERE b.warehouse_id = $1 AND c.sku_id = $2
"""
_TAKE = """
UPDATE bin_contents SET quantity = quantity - $3, updated_at = now()
WHERE bin_id = $1 AND sku_id = $2 AND quantity >= $3 RETURNING quantity
"""
_PUT = """
INSERT INTO bin_contents AS c (bin_id, sku_id, quantity) VALUES ($1, $2, $3)
ON CONFLICT (bin_id, sku_id) DO UPDATE SET quantity = c.quantity + excluded.quantity, updated_at = now()
RETURNING quantity
"""
_VOLUMES = "SELECT id, volume_ml FROM skus WHERE id = ANY($1::int[])"


@dataclass(frozen=True, slots=True)
class BinMoveLine:
    """`source` None: from the floor, that is in no bin. `target` None: onto the floor."""

    sku: str
    quantity: int
    source: str | None = None
    target: str | None = None


async def move_bins(
    state: State,
    principal: Principal,
    warehouse: str,
    lines: Sequence[BinMoveLine],
    note: str | None,
    call: IdempotentCall | None,
) -> Answer:
    """`moves` of the answer: for each line what both bins hold of the SKU afterwards; all lines or none, once per key.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, then for each line
    INVALID_QUANTITY, SKU_NOT_FOUND, INVALID_INPUT (nowhere, blocked), BIN_NOT_FOUND, BIN_FULL, INSUFFICIENT_STOCK.
    """

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        check_line_count(len(lines))
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        skus = await _find_skus(state, lines)
        book = await lock_rows(connection, {StockKey(sku, house.id) for sku in skus})
        names = {name for line in lines for name in (line.source, line.target) if name is not None}
        bins = {row["code"]: dict(row) for row in await connection.fetch(_BINS, house.id, sorted(names))}
        volumes = dict(await connection.fetch(_VOLUMES, list(set(skus))))
        moves = []
        for index, (line, sku_id) in enumerate(zip(lines, skus, strict=True)):
            path = ("lines", str(index))
            _check(line, bins, (volumes[sku_id] or 0) * line.quantity, path)
            if line.source is None:
                balance = book.balances[StockKey(sku_id, house.id)]
                sound = balance["available"] + balance["reserved"] + balance["committed"]
                free = sound - await connection.fetchval(_PLACED, house.id, sku_id)
                _require(free >= line.quantity, f"Only {max(0, free)} of it stand in no bin.", path)
            moves.append(await _move(connection, line, bins, sku_id, path))
        return {"moves": moves}

    return await run_once(state.database, call, decide)


async def _find_skus(state: State, lines: Sequence[BinMoveLine]) -> list[int]:
    found = await state.lookup.find_skus(line.sku for line in lines)
    for index, line in enumerate(lines):
        check_quantity(line.quantity, ("lines", str(index), "quantity"))
        if line.sku not in found:
            raise sku_not_found(line.sku, ("lines", str(index), "sku"))
    return [found[line.sku] for line in lines]


def _check(line: BinMoveLine, bins: dict[str, dict[str, Any]], volume_ml: int, path: tuple[str, ...]) -> None:
    """Where it goes must be there and have room; a move within the batch counts."""
    if line.source == line.target:
        raise Refusal(RefusalCode.INVALID_INPUT, "Name another bin, or the one it comes from or goes to.", path)
    for field, name in (("from", line.source), ("to", line.target)):
        if name is not None and name not in bins:
            raise Refusal(RefusalCode.BIN_NOT_FOUND, f"There is no bin {name!r} here.", (*path, field))
    if line.target is not None:
        target = bins[line.target]
        if target["status"] != "ACTIVE":
            raise Refusal(RefusalCode.INVALID_INPUT, f"Bin {line.target!r} is blocked.", (*path, "to"))
        if target["capacity_ml"] is not None and target["used_ml"] + volume_ml > target["capacity_ml"]:
            room = target["capacity_ml"] - target["used_ml"]
            message = f"Bin {line.target!r} has room for {max(0, room)} ml, that is {volume_ml} ml."
            raise Refusal(RefusalCode.BIN_FULL, message, (*path, "to"))
        target["used_ml"] += volume_ml
    if line.source is not None:
        bins[line.source]["used_ml"] -= volume_ml


async def _move(
    connection: Any, line: BinMoveLine, bins: dict[str, dict[str, Any]], sku_id: int, path: tuple[str, ...]
) -> dict[str, Any]:
    left = there = None
    if line.source is not None:
        left = await connection.fetchval(_TAKE, bins[line.source]["id"], sku_id, line.quantity)
        _require(left is not None, f"Bin {line.source!r} does not hold {line.quantity} of it: count the bin.", path)
    if line.target is not None:
        there = await connection.fetchval(_PUT, bins[line.target]["id"], sku_id, line.quantity)
    return {
        "sku": line.sku,
        "quantity": line.quantity,
        "source": line.source,
        "target": line.target,
        "source_holds": left,
        "target_holds": there,
    }


def _require(right: bool, message: str, path: tuple[str, ...]) -> None:
    if not right:
        raise Refusal(RefusalCode.INSUFFICIENT_STOCK, message, (*path, "quantity"))
