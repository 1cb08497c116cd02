"""Put units into bins and take them out, beside the change of stock that brings or takes them.

The caller holds the stock rows of the SKUs, which is what keeps two from changing what a bin holds of one. Whatever
leaves a shelf without the name of a bin is settled by the database when the transaction ends (migration 0025): off the
floor first, then from the bins as they are walked, so that bins never hold more than stands there by the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from app.counts.suspect_stock import Suspicion, suspect_once
from domain.counts import CountCause
from domain.errors import Refusal, RefusalCode

LOCK_BINS = """
SELECT b.id, b.code, b.capacity_ml, b.status, z.kind AS zone,
  coalesce((SELECT sum(c.quantity * coalesce(k.volume_ml, 0)) FROM bin_contents c JOIN skus k ON k.id = c.sku_id
            WHERE c.bin_id = b.id), 0)::bigint AS used_ml
FROM bins b JOIN zones z ON z.id = b.zone_id
WHERE b.warehouse_id = $1 AND b.code = ANY($2::text[]) ORDER BY b.id FOR UPDATE OF b
"""
VOLUMES = "SELECT id, volume_ml FROM skus WHERE id = ANY($1::int[])"
PUT = """
INSERT INTO bin_contents AS c (bin_id, sku_id, quantity) VALUES ($1, $2, $3)
ON CONFLICT (bin_id, sku_id) DO UPDATE SET quantity = c.quantity + excluded.quantity, updated_at = now()
RETURNING quantity
"""
_HELD = "SELECT quantity FROM bin_contents WHERE bin_id = $1 AND sku_id = $2 FOR UPDATE"
_TAKE = "UPDATE bin_contents SET quantity = quantity - $3, updated_at = now() WHERE bin_id = $1 AND sku_id = $2"


class Placing(NamedTuple):
    """Units of a SKU that go into a bin, or out of it (less than zero). `path`: of the input's line."""

    sku_id: int
    bin: str
    quantity: int
    path: tuple[str, ...]


def bin_not_found(name: str, path: tuple[str, ...]) -> Refusal:
    message = f"There is no bin {name!r} in this warehouse: scan its label again, or create it with binUpsert."
    return Refusal(RefusalCode.BIN_NOT_FOUND, message, path)


async def place_units(connection: Any, warehouse_id: int, placings: Sequence[Placing], *, done: bool) -> None:
    """All of them, in order. `done`: it happened already, so a bin that is full or blocked by the books is no reason.

    Who takes more out of a bin than it holds has it in hand: the bin is empty then, and that SKU is to be counted.
    Raises `Refusal` BIN_NOT_FOUND, INVALID_INPUT (blocked), BIN_FULL.
    """
    bins = await lock_bins(connection, warehouse_id, (one.bin for one in placings))
    volumes = await read_volumes(connection, (one.sku_id for one in placings))
    for sku_id, name, quantity, path in placings:
        if name not in bins:
            raise bin_not_found(name, (*path, "bin"))
        if quantity > 0:
            check_room(bins[name], volumes[sku_id] * quantity, (*path, "bin"), done=done)
            await connection.fetchval(PUT, bins[name]["id"], sku_id, quantity)
        elif not await _take(connection, bins[name]["id"], sku_id, -quantity):
            await suspect_once(connection, Suspicion(sku_id, warehouse_id, CountCause.NEGATIVE, f"bin:{name}"))


async def lock_bins(connection: Any, warehouse_id: int, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By code, with what they hold, until the transaction ends."""
    wanted = sorted(set(names))
    rows = await connection.fetch(LOCK_BINS, warehouse_id, wanted) if wanted else []
    return {row["code"]: dict(row) for row in rows}


async def read_volumes(connection: Any, sku_ids: Iterable[int]) -> dict[int, int]:
    """Millilitres of a unit; 0 when nobody measured it."""
    return {row[0]: row[1] or 0 for row in await connection.fetch(VOLUMES, sorted(set(sku_ids)))}


def check_room(target: dict[str, Any], volume_ml: int, path: tuple[str, ...], *, done: bool) -> None:
    """What was put there before by the same command counts. Raises `Refusal` INVALID_INPUT (blocked), BIN_FULL."""
    if not done and target["status"] != "ACTIVE":
        raise Refusal(RefusalCode.INVALID_INPUT, f"Bin {target['code']!r} is blocked.", path)
    if not done and target["capacity_ml"] is not None and target["used_ml"] + volume_ml > target["capacity_ml"]:
        room = max(0, target["capacity_ml"] - target["used_ml"])
        message = f"Bin {target['code']!r} has room for {room} ml, that is {volume_ml} ml."
        raise Refusal(RefusalCode.BIN_FULL, message, path)
    target["used_ml"] += volume_ml


async def _take(connection: Any, bin_id: int, sku_id: int, quantity: int) -> bool:
    """Whether the bin held so many."""
    held = await connection.fetchval(_HELD, bin_id, sku_id) or 0
    await connection.execute(_TAKE, bin_id, sku_id, min(held, quantity))
    return bool(held >= quantity)
