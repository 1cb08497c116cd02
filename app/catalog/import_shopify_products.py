"""Import Shopify's product export: SKUs and the stock of one warehouse, the whole file or nothing."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from adapters.postgres.database import Database
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.catalog.lookup import Lookup
from app.catalog.upsert import SkuLine, upsert_skus
from app.transact import rerun
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.shopify_csv import ParsedProducts, ProductRow, RowProblem, parse_products
from domain.stock import Posting, StockKey

BATCH_LINES = 1_000
REASON = "IMPORT"
_TAKEN = """
SELECT barcode, code FROM skus
WHERE barcode = ANY($1::text[]) AND NOT code = ANY($2::text[])
"""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`levels_set`: stock rows whose available quantity the file changed; `units`: what the file holds, row by row.

    With problems, or on a dry run, nothing was written and the counts say what would have been.
    """

    skus_created: int
    skus_changed: int
    levels_set: int
    units: int
    problems: tuple[RowProblem, ...]
    dry_run: bool
    rows: tuple[ProductRow, ...] = ()


class _DryRun(Exception):
    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report


async def import_products(
    database: Database,
    principal: Principal,
    path: Path,
    warehouse_code: str,
    dry_run: bool,
    currency: str = "EUR",
) -> ImportReport:
    """Create or change the file's SKUs and set their available stock; a second run changes nothing.

    `currency`: of the column "Cost per item". A row without a quantity leaves stock as it is.
    Raises `Refusal` WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, or INVALID_INPUT for a file that is not UTF-8 text;
    OSError when it cannot be read. Problems in rows are in the report.
    """
    found = await Lookup(database).find_warehouse(warehouse_code, principal, ("warehouse",))
    parsed = await asyncio.to_thread(_read_file, path)
    if parsed.problems:
        return ImportReport(0, 0, 0, 0, parsed.problems, dry_run)
    footing = Footing(
        Provenance(principal.name, principal.token_id), Remarks(REASON, reference=path.name), currency=currency
    )
    rows = sorted(parsed.rows, key=lambda row: row.sku)

    async def once() -> ImportReport:
        async with database.hot.acquire() as connection, connection.transaction():
            report = await _import_rows(connection, rows, found.id, footing)
            if dry_run:
                raise _DryRun(report)
            return report

    try:
        return await rerun(once)
    except _DryRun as stopped:
        return replace(stopped.report, dry_run=True)


def _read_file(path: Path) -> ParsedProducts:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return parse_products(lines)
    except UnicodeDecodeError as error:
        raise Refusal(RefusalCode.INVALID_INPUT, f"{path.name} is no UTF-8 text: export it as CSV again.") from error


async def _import_rows(
    connection: Any, rows: Sequence[ProductRow], warehouse_id: int, footing: Footing
) -> ImportReport:
    problems = await _find_taken_barcodes(connection, rows)
    if problems:
        return ImportReport(0, 0, 0, 0, problems, False)
    codes = [row.sku for row in rows]
    known = await connection.fetchval("SELECT count(*) FROM skus WHERE code = ANY($1::text[])", codes)
    quantities: dict[int, ProductRow] = {}
    for batch in _batches(rows):
        records = await upsert_skus(connection, [_sku_line(row, footing.currency) for row in batch])
        quantities |= {record["id"]: row for record, row in zip(records, batch, strict=True)}
    levels = await _set_stock(connection, quantities, warehouse_id, footing)
    units = sum(row.quantity or 0 for row in rows)
    return ImportReport(
        len(rows) - known, known, levels, units, (), False, tuple(sorted(rows, key=lambda row: row.row))
    )


async def _find_taken_barcodes(connection: Any, rows: Sequence[ProductRow]) -> tuple[RowProblem, ...]:
    by_barcode = {row.barcode: row for row in rows if row.barcode is not None}
    taken = await connection.fetch(_TAKEN, list(by_barcode), [row.sku for row in rows])
    problems = [
        RowProblem(by_barcode[barcode].row, f"Barcode {barcode!r} belongs to SKU {code!r} already.")
        for barcode, code in taken
    ]
    return tuple(sorted(problems, key=lambda problem: problem.row))


def _sku_line(row: ProductRow, currency: str | None) -> SkuLine:
    return SkuLine(
        row.sku,
        row.title,
        row.barcode,
        row.unit_cost,
        None if row.unit_cost is None else currency,
        row.weight_grams,
    )


async def _set_stock(connection: Any, rows: dict[int, ProductRow], warehouse_id: int, footing: Footing) -> int:
    """Rows are locked in ascending order over all batches, as every other caller does within its one."""
    changed = 0
    wanted = sorted((sku_id, row) for sku_id, row in rows.items() if row.quantity is not None)
    for batch in _batches(wanted):
        book = await lock_rows(connection, (StockKey(sku_id, warehouse_id) for sku_id, _ in batch))
        footings = []
        for sku_id, row in batch:
            key = StockKey(sku_id, warehouse_id)
            delta = (row.quantity or 0) - book.balances[key]["available"]
            if delta == 0:
                continue
            source, target = ("adjustment", "available") if delta > 0 else ("available", "adjustment")
            book.post(Posting(key, source, target, abs(delta)), ("rows", str(row.row)))
            footings.append(_footing_of(footing, row))
        await write_book(connection, book, footings, datetime.datetime.now(datetime.UTC))
        changed += len(footings)
    return changed


def _footing_of(footing: Footing, row: ProductRow) -> Footing:
    if row.unit_cost is None:
        return replace(footing, currency=None)
    return replace(footing, unit_cost=row.unit_cost)


def _batches(rows: Sequence[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_LINES)):
        yield batch
