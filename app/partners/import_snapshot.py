"""A snapshot from a file: what a warehouse without an API sends by mail."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

from app.partners.reconcile_snapshot import LINES_MAX, SnapshotReport, reconcile_snapshot
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

ROWS_MAX = 100_000


def read_snapshot(path: Path) -> list[tuple[str, int]]:
    """SKU codes or barcodes and units, from the columns `sku` and `on_hand`. Raises `Refusal` INVALID_INPUT."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"sku", "on_hand"} <= set(rows.fieldnames or ()):
            raise Refusal(RefusalCode.INVALID_INPUT, f"{path.name} has no columns sku and on_hand.")
        found: dict[str, int] = {}
        for number, row in enumerate(rows, 2):
            sku, units = (row["sku"] or "").strip(), (row["on_hand"] or "").strip()
            if number > ROWS_MAX or not units.isascii() or not units.isdecimal():
                message = f"{path.name}, line {number}: on_hand is a whole number, of at most {ROWS_MAX} lines."
                raise Refusal(RefusalCode.INVALID_INPUT, message)
            if sku in found:
                message = f"{path.name}, line {number}: {sku!r} is in the file twice; give it one line with the sum."
                raise Refusal(RefusalCode.DUPLICATE_LINE, message)
            found[sku] = int(units)
    return list(found.items())


async def import_snapshot(
    state: State, principal: Principal, warehouse: str, path: Path, as_of: datetime.datetime, actor: str
) -> list[Answer]:
    """An answer for each thousand lines. Raises `Refusal` as `reconcile_snapshot` does; what came before stays."""
    lines, answers = read_snapshot(path), []
    now = datetime.datetime.now(datetime.UTC)
    for start in range(0, len(lines), LINES_MAX):
        report = SnapshotReport(warehouse, as_of, lines[start : start + LINES_MAX], "FILE", reference=path.name)
        answers.append(await reconcile_snapshot(state, principal, report, Provenance(actor), now))
    return answers
