"""Sales from CSV files, to play a policy over: one row for each order line.

Columns, by these names or those of the UCI Online Retail data: `sku` (StockCode), `quantity` (Quantity), `date`
(InvoiceDate, ISO 8601) and perhaps `order` (InvoiceNo; those that begin with C are cancellations). `.gz` is read as is.
"""

from __future__ import annotations

import csv
import datetime
import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

ROWS_MAX = 5_000_000
DAYS_MAX = 2_000
NAMES = {"sku": ("sku", "StockCode"), "quantity": ("quantity", "Quantity"), "date": ("date", "InvoiceDate")}


class SalesFileError(ValueError):
    """The file is not what was asked for; the message is a sentence for people."""


def read_sales(paths: Sequence[Path]) -> tuple[datetime.date, dict[str, list[list[int]]]]:
    """The first day, and by SKU the units of every order line of each day since.

    Raises `SalesFileError`, and OSError for what cannot be opened.
    """
    sold: dict[str, dict[datetime.date, list[int]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        for sku, day, units in _read_rows(path):
            sold[sku][day].append(units)
    if not sold:
        raise SalesFileError("The files hold no sales: give CSV with sku, quantity and date.")
    first = min(min(days) for days in sold.values())
    count = (max(max(days) for days in sold.values()) - first).days + 1
    if count > DAYS_MAX:
        raise SalesFileError(f"The files span {count} days, at most {DAYS_MAX} can be played.")
    calendar = [first + datetime.timedelta(days=n) for n in range(count)]
    return first, {sku: [days.get(day, []) for day in calendar] for sku, days in sold.items()}


def _read_rows(path: Path) -> Iterator[tuple[str, datetime.date, int]]:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8", errors="replace", newline="") as lines:
        rows = csv.DictReader(lines)
        columns = {name: _find_column(rows.fieldnames or (), given, path) for name, given in NAMES.items()}
        for number, row in enumerate(rows, 2):
            if number > ROWS_MAX:
                raise SalesFileError(f"{path.name} has more than {ROWS_MAX} rows: split it.")
            try:
                units = int(row[columns["quantity"]])
                day = datetime.date.fromisoformat(row[columns["date"]][:10])
            except (TypeError, ValueError) as error:
                raise SalesFileError(f"{path.name}, line {number}: a quantity and an ISO date, please.") from error
            order = row.get("order") or row.get("InvoiceNo") or ""
            if units > 0 and not order.startswith("C"):
                yield row[columns["sku"]], day, units


def _find_column(there: Sequence[str], names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in there:
            return name
    raise SalesFileError(f"{path.name} has no column {names[0]!r}.")
