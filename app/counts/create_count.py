"""Say what is to be counted: some SKUs of a warehouse, or all that some of its bins hold."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.counts.read_counts import answer_count
from app.run_once import Answer, run_once
from app.state import State
from domain.counts import BUCKETS, CountCause
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

LINES_MAX = 1_000
_LOCK_HOUSE = "SELECT FROM warehouses WHERE id = $1 FOR NO KEY UPDATE"
"""Counts of a warehouse are made one after another, so that two never have the same line."""
_IN_BINS = """
SELECT b.id, b.code, c.sku_id FROM bins b LEFT JOIN bin_contents c ON c.bin_id = b.id AND c.quantity > 0
WHERE b.warehouse_id = $1 AND b.code = ANY($2::text[]) ORDER BY b.sequence, b.code, c.sku_id
"""
_TAKEN = """
SELECT s.code FROM count_lines l
JOIN unnest($2::int[], $3::text[], $4::int[]) AS wanted (sku_id, bucket, bin_id)
  ON l.sku_id = wanted.sku_id AND l.bucket = wanted.bucket
  AND (l.bin_id IS NULL OR wanted.bin_id IS NULL OR l.bin_id = wanted.bin_id)
JOIN skus s ON s.id = l.sku_id
WHERE l.warehouse_id = $1 AND l.status IN ('OPEN', 'RECOUNT', 'COUNTED') ORDER BY s.code LIMIT 1
"""
"""A count of the whole SKU and one of it in a bin are of the same units."""
_INSERT = """
INSERT INTO counts
  (id, warehouse_id, planned_for, blind, tolerance_units, tolerance_percent, note, reference, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_INSERT_LINES = """
INSERT INTO count_lines (count_id, line, warehouse_id, sku_id, bin_id, bucket, cause, abc, unit_cost)
SELECT $1, g.line, $2, g.sku_id, g.bin_id, g.bucket, g.cause, g.abc, s.unit_cost
FROM unnest($3::int[], $4::int[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
  AS g (sku_id, bin_id, bucket, cause, abc, line)
JOIN skus s ON s.id = g.sku_id
"""


@dataclass(frozen=True, slots=True)
class CountCreate:
    """`skus` or `bins`, one of them. Tolerances: how large a difference may be without a second scan."""

    warehouse: str
    skus: Sequence[str] | None = None
    bins: Sequence[str] | None = None
    bucket: str = "available"
    blind: bool = True
    tolerance_units: int = 0
    tolerance_percent: int = 0
    note: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NewLine:
    sku_id: int
    bin_id: int | None = None
    bucket: str = "available"
    cause: CountCause = CountCause.MANUAL
    abc: str | None = None


async def create_count(
    state: State, principal: Principal, command: CountCreate, actor: str, call: IdempotentCall | None
) -> Answer:
    """`count` of the answer is the count, once per key.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, SKU_NOT_FOUND,
    DUPLICATE_LINE, BIN_NOT_FOUND, ALREADY_EXISTS when a line is being counted already.
    """

    async def decide(connection: Any) -> Answer:
        _check(command)
        house = await state.lookup.find_warehouse(command.warehouse, principal, ("warehouse",))
        await connection.execute(_LOCK_HOUSE, house.id)
        if command.skus is not None:
            lines = await _lines_of_skus(state, command.skus, command.bucket)
        else:
            lines = await _lines_of_bins(connection, house.id, command.bins or ())
        await refuse_taken(connection, house.id, lines)
        count_id = uuid7()
        await insert_count(connection, count_id, house.id, command, lines, actor, None)
        return await answer_count(connection, count_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("listings")
    return answer


def _check(command: CountCreate) -> None:
    if (command.skus is None) == (command.bins is None):
        raise Refusal(RefusalCode.INVALID_INPUT, "Count some SKUs or some bins: give one of the two.", ("skus",))
    field, names = ("skus", command.skus) if command.skus is not None else ("bins", command.bins)
    if not names:
        raise Refusal(RefusalCode.INVALID_INPUT, "Name at least one.", (field,))
    if len(names) > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines at once: make several counts.", (field,))
    if command.bucket not in BUCKETS or (command.bins is not None and command.bucket != "available"):
        message = "Only AVAILABLE, DAMAGED and QUALITY_CONTROL are counted, and in bins only AVAILABLE."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("bucket",))
    if not (0 <= command.tolerance_units <= 1_000_000 and 0 <= command.tolerance_percent <= 100):
        message = "A tolerance is zero or more units, and 0 to 100 percent."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("toleranceUnits",))
    check_text(command.note, "note")
    check_text(command.reference, "reference")


async def _lines_of_skus(state: State, codes: Sequence[str], bucket: str) -> list[NewLine]:
    found = await state.lookup.find_skus(codes)
    lines: dict[int, NewLine] = {}
    for index, code in enumerate(codes):
        path = ("skus", str(index))
        if code not in found:
            raise sku_not_found(code, path)
        if found[code] in lines:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {code!r} comes twice.", path)
        lines[found[code]] = NewLine(found[code], bucket=bucket)
    return list(lines.values())


async def _lines_of_bins(connection: Any, warehouse_id: int, codes: Sequence[str]) -> list[NewLine]:
    """What the bins hold by the books. What else is found there is scanned as a line of its own."""
    rows = await connection.fetch(_IN_BINS, warehouse_id, list(codes))
    known = {row["code"] for row in rows}
    for index, code in enumerate(codes):
        if code not in known:
            raise Refusal(RefusalCode.BIN_NOT_FOUND, f"There is no bin {code!r} here.", ("bins", str(index)))
    lines = [NewLine(row["sku_id"], row["id"]) for row in rows if row["sku_id"] is not None]
    if len(lines) > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"They hold more than {LINES_MAX} lines: name fewer.", ("bins",))
    if not lines:
        message = "By the books these bins are empty: put stock away into them, or count by SKU."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("bins",))
    return lines


async def refuse_taken(connection: Any, warehouse_id: int, lines: Sequence[NewLine]) -> None:
    """Raises `Refusal` ALREADY_EXISTS when a line is being counted already."""
    columns = [line.sku_id for line in lines], [line.bucket for line in lines], [line.bin_id for line in lines]
    taken = await connection.fetchval(_TAKEN, warehouse_id, *columns)
    if taken is not None:
        message = f"SKU {taken!r} is in another count that has not ended: finish or cancel that one."
        raise Refusal(RefusalCode.ALREADY_EXISTS, message)


async def insert_count(
    connection: Any,
    count_id: UUID,
    warehouse_id: int,
    command: CountCreate,
    lines: Sequence[NewLine],
    actor: str,
    planned_for: datetime.date | None,
) -> None:
    """Write a count whose lines nobody else is counting; the caller holds the lock on its warehouse."""
    await connection.execute(
        _INSERT,
        *(count_id, warehouse_id, planned_for, command.blind, command.tolerance_units, command.tolerance_percent),
        *(command.note, command.reference, actor),
    )
    await connection.execute(
        _INSERT_LINES,
        count_id,
        warehouse_id,
        [line.sku_id for line in lines],
        [line.bin_id for line in lines],
        [line.bucket for line in lines],
        [line.cause.value for line in lines],
        [line.abc for line in lines],
    )


async def lock_warehouse(connection: Any, warehouse_id: int) -> None:
    await connection.execute(_LOCK_HOUSE, warehouse_id)
