"""Where things lie: zones and bins of a warehouse, the order in which they are walked, and what is in them."""

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
from domain.stock import StockKey
from domain.work_lines import check_units

CODE_LENGTH_MAX = 50
SEQUENCE_MAX = 1_000_000
_ZONES = """
INSERT INTO zones (warehouse_id, code, kind, sequence)
SELECT $1, c, k, s FROM unnest($2::text[], $3::text[], $4::int[]) AS g (c, k, s) ORDER BY c
ON CONFLICT (warehouse_id, code) DO UPDATE SET kind = excluded.kind, sequence = excluded.sequence
"""
_FIND_ZONES = "SELECT code, id FROM zones WHERE warehouse_id = $1 AND code = ANY($2::text[])"
_BINS = """
INSERT INTO bins (warehouse_id, zone_id, code, sequence, capacity_ml, status)
SELECT $1, z, c, s, v, t FROM unnest($2::int[], $3::text[], $4::int[], $5::bigint[], $6::text[]) AS g (z, c, s, v, t)
ORDER BY c
ON CONFLICT (warehouse_id, code) DO UPDATE SET zone_id = excluded.zone_id, sequence = excluded.sequence,
  capacity_ml = excluded.capacity_ml, status = excluded.status
"""
_FIND_BINS = "SELECT code, id FROM bins WHERE warehouse_id = $1 AND code = ANY($2::text[])"
_CONTENTS = """
INSERT INTO bin_contents (bin_id, sku_id, quantity)
SELECT b, s, q FROM unnest($1::int[], $2::int[], $3::int[]) AS g (b, s, q) WHERE q > 0 ORDER BY b, s
ON CONFLICT (bin_id, sku_id) DO UPDATE SET quantity = excluded.quantity, updated_at = clock_timestamp()
"""
_EMPTY = """
DELETE FROM bin_contents WHERE (bin_id, sku_id) IN (
  SELECT b, s FROM unnest($1::int[], $2::int[], $3::int[]) AS g (b, s, q) WHERE q = 0)
"""
_OVER = """
SELECT c.sku_id, sum(c.quantity) - coalesce(min(l.available + l.reserved + l.committed), 0)
  + coalesce((SELECT sum(p.quantity) FROM pick_records p WHERE p.sku_id = c.sku_id AND p.warehouse_id = $1), 0) AS over
FROM bin_contents c JOIN bins b ON b.id = c.bin_id
LEFT JOIN stock_levels l ON l.sku_id = c.sku_id AND l.warehouse_id = $1
WHERE b.warehouse_id = $1 AND c.sku_id = ANY($2::int[])
GROUP BY c.sku_id
"""


@dataclass(frozen=True, slots=True)
class ZoneLine:
    code: str
    kind: str
    sequence: int


@dataclass(frozen=True, slots=True)
class BinLine:
    """`capacity_ml`: None when nobody measured it."""

    code: str
    zone: str
    sequence: int
    capacity_ml: int | None
    status: str


@dataclass(frozen=True, slots=True)
class ContentLine:
    """`sku`: code or barcode. `quantity`: units in the bin from now on."""

    bin: str
    sku: str
    quantity: int


async def save_zones(
    state: State, principal: Principal, warehouse: str, lines: Sequence[ZoneLine], call: IdempotentCall | None
) -> Answer:
    """Create or change zones by code; `zones` of the answer are their codes.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, TOO_MANY_LINES, INVALID_INPUT, DUPLICATE_LINE.
    """

    async def decide(connection: Any) -> Answer:
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
        check_line_count(len(lines))
        for index, line in enumerate(lines):
            _check_place(line.code, line.sequence, index)
        _check_unique([line.code for line in lines], "code")
        columns = zip(*((line.code, line.kind, line.sequence) for line in lines), strict=True)
        await connection.execute(_ZONES, house.id, *(list(column) for column in columns))
        return {"zones": [line.code for line in lines]}

    return await run_once(state.database, call, decide)


async def save_bins(
    state: State, principal: Principal, warehouse: str, lines: Sequence[BinLine], call: IdempotentCall | None
) -> Answer:
    """Create or change bins by code; `bins` of the answer are their codes.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, TOO_MANY_LINES, for each line INVALID_INPUT, ZONE_NOT_FOUND; DUPLICATE_LINE.
    """

    async def decide(connection: Any) -> Answer:
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
        check_line_count(len(lines))
        zones = dict(await connection.fetch(_FIND_ZONES, house.id, [line.zone for line in lines]))
        for index, line in enumerate(lines):
            _check_bin(line, zones, index)
        _check_unique([line.code for line in lines], "code")
        rows = ((zones[x.zone], x.code, x.sequence, x.capacity_ml, x.status) for x in lines)
        await connection.execute(_BINS, house.id, *(list(column) for column in zip(*rows, strict=True)))
        return {"bins": [line.code for line in lines]}

    return await run_once(state.database, call, decide)


async def set_contents(
    state: State, principal: Principal, warehouse: str, lines: Sequence[ContentLine], call: IdempotentCall | None
) -> Answer:
    """Say what lies in bins; the ledger does not change. `bins` of the answer are the codes of the bins.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, TOO_MANY_LINES, for each line INVALID_QUANTITY, BIN_NOT_FOUND, SKU_NOT_FOUND;
    DUPLICATE_LINE, INSUFFICIENT_STOCK when all bins would hold more than stands here by the ledger.
    """

    async def decide(connection: Any) -> Answer:
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
        check_line_count(len(lines))
        skus = await state.lookup.find_skus(line.sku for line in lines)
        bins = dict(await connection.fetch(_FIND_BINS, house.id, [line.bin for line in lines]))
        for index, line in enumerate(lines):
            _check_content(line, bins, skus, index)
        rows = sorted((bins[line.bin], skus[line.sku], line.quantity) for line in lines)
        _check_unique([row[:2] for row in rows], "sku")
        await lock_rows(connection, {StockKey(sku_id, house.id) for _, sku_id, _ in rows})
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_CONTENTS, *columns)
        await connection.execute(_EMPTY, *columns)
        await _refuse_more(connection, house.id, [skus[line.sku] for line in lines])
        return {"bins": list(dict.fromkeys(line.bin for line in lines))}

    return await run_once(state.database, call, decide)


async def _refuse_more(connection: Any, warehouse_id: int, sku_ids: Sequence[int]) -> None:
    """Bins hold no more than stands on the shelves by the ledger."""
    over = {
        row["sku_id"]: row["over"]
        for row in await connection.fetch(_OVER, warehouse_id, list(sku_ids))
        if row["over"] > 0
    }
    for index, sku_id in enumerate(sku_ids):
        if sku_id in over:
            message = f"Bins would hold {over[sku_id]} more than stands here by the books: count the bins instead."
            raise Refusal(RefusalCode.INSUFFICIENT_STOCK, message, ("lines", str(index), "quantity"))


def _check_place(code: str, sequence: int, index: int) -> None:
    path = ("lines", str(index))
    check_text(code, "code", CODE_LENGTH_MAX, path=path)
    if not code.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give it the code that is on its label.", (*path, "code"))
    if not 0 <= sequence <= SEQUENCE_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"sequence is from 0 to {SEQUENCE_MAX}.", (*path, "sequence"))


def _check_bin(line: BinLine, zones: dict[str, int], index: int) -> None:
    _check_place(line.code, line.sequence, index)
    path = ("lines", str(index))
    if line.capacity_ml is not None and line.capacity_ml < 0:
        raise Refusal(RefusalCode.INVALID_INPUT, "capacityMl is zero or more.", (*path, "capacityMl"))
    if line.zone not in zones:
        message = f"There is no zone {line.zone!r} in this warehouse: create it with zoneUpsert."
        raise Refusal(RefusalCode.ZONE_NOT_FOUND, message, (*path, "zone"))


def _check_content(line: ContentLine, bins: dict[str, int], skus: dict[str, int], index: int) -> None:
    path = ("lines", str(index))
    check_units(line.quantity, (*path, "quantity"))
    if line.bin not in bins:
        message = f"There is no bin {line.bin!r} in this warehouse: create it with binUpsert."
        raise Refusal(RefusalCode.BIN_NOT_FOUND, message, (*path, "bin"))
    if line.sku not in skus:
        raise sku_not_found(line.sku, (*path, "sku"))


def _check_unique(keys: Sequence[object], field: str) -> None:
    seen = set()
    for index, key in enumerate(keys):
        if key in seen:
            message = "It comes twice: make one line of them."
            raise Refusal(RefusalCode.DUPLICATE_LINE, message, ("lines", str(index), field))
        seen.add(key)
