"""Rows of a command's own documents, written by the statement that writes its movements.

One statement instead of one per table saves a round trip and a plan for each, on the path that a flash sale takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """Where rows go: `columns` are (name, SQL type), in the order of each row's values."""

    name: str
    columns: tuple[tuple[str, str], ...]

    def insert(self, first: int) -> str:
        """The INSERT of arrays given as parameters from `$first` on."""
        names = ", ".join(name for name, _ in self.columns)
        arrays = ", ".join(f"${first + index}::{kind}[]" for index, (_, kind) in enumerate(self.columns))
        return f"INSERT INTO {self.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608


Documents = Mapping[DocumentTable, Sequence[tuple[Any, ...]]]


def insert_documents(tables: Sequence[DocumentTable], first: int) -> str:
    """CTEs that insert into `tables`, each to be followed by more of the statement."""
    parts = []
    for number, table in enumerate(tables):
        parts.append(f"document_{number} AS ({table.insert(first)})")
        first += len(table.columns)
    return "".join(part + ", " for part in parts)


def document_columns(documents: Documents, tables: Sequence[DocumentTable]) -> list[list[Any]]:
    """The parameters of `insert_documents`, an array for each column."""
    return [list(column) for table in tables for column in zip(*documents[table], strict=True)]
