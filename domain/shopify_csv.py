"""Shopify's product export: which rows are variants, what each holds, and what is wrong with the rest.

One product is one or more rows of the same handle. The first row names the product; rows after it are further
variants, or pictures without a variant. Rows are counted as a spreadsheet shows them: the heading is row 1.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from domain.stock import QUANTITY_MAX

ROWS_MAX = 100_000
CODE_LENGTH_MAX = 100
GRAMS_MAX = 2_147_483_647
MONEY_MAX = Decimal(10) ** 10
MONEY_PLACES = Decimal("0.0001")
REQUIRED = ("Handle", "Title")
OPTIONS = ("Option1 Value", "Option2 Value", "Option3 Value")
VARIANT = (*OPTIONS, "Variant SKU", "Variant Barcode", "Variant Price", "Variant Inventory Qty")
"""A continuation row with none of these is a picture, not a variant."""
NO_OPTIONS = "Default Title"
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x1f]")
_PLAIN = re.compile(r"[a-z0-9]+( [a-z0-9]+)*")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One variant. What the file leaves out is None; `quantity` in units, `weight_grams` None also for 0."""

    row: int
    sku: str
    derived: bool
    """Whether the file had no SKU, so that the code was made from handle and options."""
    title: str
    barcode: str | None
    quantity: int | None
    price: Decimal | None
    unit_cost: Decimal | None
    weight_grams: int | None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row cannot be imported, in a sentence."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedProducts:
    rows: tuple[ProductRow, ...]
    problems: tuple[RowProblem, ...]


class _BadRow(Exception):
    pass


@dataclass(slots=True)
class _Reading:
    """What earlier rows leave for later ones."""

    handle: str = ""
    titles: dict[str, str] = field(default_factory=dict)
    skus: dict[str, int] = field(default_factory=dict)
    barcodes: dict[str, int] = field(default_factory=dict)


def parse_products(text_lines: Iterable[str]) -> ParsedProducts:
    """Read a whole export, going on after bad rows so that all of them are reported at once."""
    rows: list[ProductRow] = []
    problems: list[RowProblem] = []
    number = 0
    reading = _Reading()
    heading: list[str] = []
    try:
        for number, cells in enumerate(csv.reader(_without_mark(text_lines), strict=True), start=1):
            if number == 1:
                heading = [cell.strip() for cell in cells]
                _check_heading(heading)
            elif number > ROWS_MAX:
                problems.append(RowProblem(number, f"A file has at most {ROWS_MAX} rows: split it."))
                break
            elif any(cell.strip() for cell in cells):
                _collect(reading, number, heading, cells, rows, problems)
    except csv.Error as error:
        problems.append(RowProblem(number + 1, f"The CSV is broken from here on: {error}."))
    except _BadRow as error:
        problems.append(RowProblem(1, str(error)))
    if number == 0:
        problems.append(RowProblem(1, "The file is empty."))
    return ParsedProducts(tuple(rows), tuple(problems))


def _without_mark(text_lines: Iterable[str]) -> Iterator[str]:
    """Spreadsheets put a byte order mark in front, which would become part of the first column's name."""
    for index, line in enumerate(text_lines):
        yield line.removeprefix("\ufeff") if index == 0 else line


def _check_heading(heading: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in heading]
    if missing:
        raise _BadRow(f"This is no product export of Shopify: column {missing[0]!r} is missing.")
    named = [name for name in heading if name]
    twice = [name for name in (*REQUIRED, *VARIANT) if named.count(name) > 1]
    if twice:
        raise _BadRow(f"Column {twice[0]!r} comes twice.")


def _collect(
    reading: _Reading,
    number: int,
    heading: list[str],
    cells: list[str],
    rows: list[ProductRow],
    problems: list[RowProblem],
) -> None:
    try:
        if len(cells) != len(heading):
            raise _BadRow(f"The row has {len(cells)} cells where the heading has {len(heading)}.")
        found = _read_row(reading, number, {name: cell.strip() for name, cell in zip(heading, cells, strict=True)})
    except _BadRow as error:
        problems.append(RowProblem(number, str(error)))
    else:
        if found is not None:
            rows.append(found)


def _read_row(reading: _Reading, number: int, cells: dict[str, str]) -> ProductRow | None:
    handle = cells["Handle"] or reading.handle
    if not handle:
        raise _BadRow("The row has no Handle, and none comes before it.")
    reading.handle = handle
    first = handle not in reading.titles
    if first:
        # Kept even when empty: the product is reported once, not again with each of its rows.
        reading.titles[handle] = cells["Title"]
        if not cells["Title"]:
            raise _BadRow(f"Product {handle!r} has no Title.")
    elif not any(cells.get(name) for name in VARIANT):
        return None
    options = [value for name in OPTIONS if (value := cells.get(name, "")) and value != NO_OPTIONS]
    given = _read_code(cells, "Variant SKU")
    found = ProductRow(
        row=number,
        sku=given or derive_code(handle, options),
        derived=given is None,
        title=_read_title(reading.titles[handle] or handle, options),
        barcode=_read_code(cells, "Variant Barcode"),
        quantity=_read_quantity(cells),
        price=_read_money(cells, "Variant Price"),
        unit_cost=_read_money(cells, "Cost per item"),
        weight_grams=_read_grams(cells),
    )
    _claim(reading.skus, found.sku, number, "SKU")
    if found.barcode is not None:
        _claim(reading.barcodes, found.barcode, number, "Barcode")
    return found


def derive_code(handle: str, options: Iterable[str]) -> str:
    """The code of a variant without a SKU: the same for the same handle and options in every export.

    A handle cannot hold a colon and a slug does not, so plain values never meet; where a slug loses something,
    a digest of the values tells them apart.
    """
    values = [value.casefold() for value in options]
    code = ":".join([handle, *(_NOT_SLUG.sub("-", value).strip("-") for value in values)])
    if len(code) <= CODE_LENGTH_MAX and all(_PLAIN.fullmatch(value) for value in values):
        return code
    digest = hashlib.sha256("\x00".join([handle, *values]).encode()).hexdigest()[:12]
    return f"{code[: CODE_LENGTH_MAX - 13].rstrip()}~{digest}"


def _read_title(title: str, options: list[str]) -> str:
    whole = f"{title} - {' / '.join(options)}" if options else title
    if "\x00" in whole:
        raise _BadRow("The title holds a NUL character.")
    return whole


def _read_code(cells: dict[str, str], name: str) -> str | None:
    """Shopify writes an apostrophe before digits so that spreadsheets keep their zeros."""
    value = cells.get(name, "").removeprefix("'").strip()
    if len(value) > CODE_LENGTH_MAX or _CONTROL.search(value):
        raise _BadRow(f"{name} has at most {CODE_LENGTH_MAX} characters on one line.")
    return value or None


def _read_quantity(cells: dict[str, str]) -> int | None:
    value = cells.get("Variant Inventory Qty", "")
    if not value:
        return None
    if _WHOLE.fullmatch(value) is None or not 0 <= int(value) <= QUANTITY_MAX:
        raise _BadRow(f"Variant Inventory Qty {value!r} must be a whole number from 0 to {QUANTITY_MAX}.")
    return int(value)


def _read_money(cells: dict[str, str], name: str) -> Decimal | None:
    value = _read_decimal(cells, name)
    if value is None:
        return None
    if value >= MONEY_MAX or value != value.quantize(MONEY_PLACES):
        raise _BadRow(f"{name} {value} must be below {MONEY_MAX:f} with at most 4 decimals.")
    return value


def _read_grams(cells: dict[str, str]) -> int | None:
    """Shopify writes 0 for a weight that nobody entered."""
    value = _read_decimal(cells, "Variant Grams")
    if value is None or value == 0:
        return None
    if value > GRAMS_MAX:
        raise _BadRow(f"Variant Grams {value} is more than {GRAMS_MAX}.")
    return max(1, round(value))


def _read_decimal(cells: dict[str, str], name: str) -> Decimal | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _BadRow(f"{name} {text!r} is no number.") from None
    if not value.is_finite() or value < 0 or value.adjusted() > 18:
        raise _BadRow(f"{name} {text!r} must be a number, zero or more.")
    return value


def _claim(claimed: dict[str, int], code: str, number: int, name: str) -> None:
    if code in claimed:
        raise _BadRow(f"{name} {code!r} comes twice: it is in row {claimed[code]} too.")
    claimed[code] = number
