"""A file of listings: what a channel calls each SKU, at which of its locations.

Columns `sku` and `external_id`, and if there are any `location` and `reference`, in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domain.shopify_csv import RowProblem

ROWS_MAX = 200_000
TEXT_LENGTH_MAX = 500
REQUIRED = ("sku", "external_id")
OPTIONAL = ("location", "reference")
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class ListingRow:
    """One row; `row` counts from 1 with the heading. `location` is None when the cell is empty."""

    row: int
    sku: str
    external_id: str
    location: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class ParsedListings:
    rows: tuple[ListingRow, ...]
    problems: tuple[RowProblem, ...]


def parse_listings(text_lines: Iterable[str]) -> ParsedListings:
    """Read a whole file, going on after bad rows so that all of them are reported at once."""
    rows: list[ListingRow] = []
    problems: list[RowProblem] = []
    number = 0
    heading: list[str] = []
    try:
        for number, cells in enumerate(csv.reader(_without_mark(text_lines), strict=True), start=1):
            if number == 1:
                heading = [cell.strip().lower() for cell in cells]
                problems += _check_heading(heading)
                if problems:
                    break
            elif number > ROWS_MAX + 1:
                problems.append(RowProblem(number, f"A file has at most {ROWS_MAX} rows: split it."))
                break
            elif any(cell.strip() for cell in cells):
                _read_row(number, heading, cells, rows, problems)
    except csv.Error as error:
        problems.append(RowProblem(number + 1, f"The CSV is broken from here on: {error}."))
    if number == 0:
        problems.append(RowProblem(1, "The file is empty."))
    return ParsedListings(tuple(rows), tuple(problems))


def _without_mark(text_lines: Iterable[str]) -> Iterator[str]:
    for index, line in enumerate(text_lines):
        yield line.removeprefix(BYTE_ORDER_MARK) if index == 0 else line


def _check_heading(heading: Sequence[str]) -> list[RowProblem]:
    missing = [name for name in REQUIRED if name not in heading]
    unknown = [name for name in heading if name not in (*REQUIRED, *OPTIONAL)]
    twice = sorted({name for name in heading if heading.count(name) > 1})
    found = [(missing, "has no column"), (unknown, "has a column we do not know:"), (twice, "has twice the column")]
    return [RowProblem(1, f"The heading {words} {', '.join(names)}.") for names, words in found if names]


def _read_row(
    number: int, heading: Sequence[str], cells: Sequence[str], rows: list[ListingRow], problems: list[RowProblem]
) -> None:
    if len(cells) != len(heading):
        problems.append(RowProblem(number, f"{len(cells)} cells, and the heading has {len(heading)}."))
        return
    values = {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}
    wrong = [f"{name} is empty." for name in REQUIRED if not values[name]]
    for name, value in values.items():
        if len(value) > TEXT_LENGTH_MAX or any(sign in value for sign in "\x00\n\r"):
            wrong.append(f"{name} has at most {TEXT_LENGTH_MAX} characters on one line.")
    if wrong:
        problems.append(RowProblem(number, " ".join(wrong)))
        return
    location, reference = (values.get(name) or None for name in OPTIONAL)
    rows.append(ListingRow(number, values["sku"], values["external_id"], location, reference))
