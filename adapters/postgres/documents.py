"""Rows of a command's own documents, written by the statement that writes its movements.

One statement instead of one per table saves a round trip and a plan for each, on the path that a flash sale takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.rows import RowShape


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """Where rows go, and what a row is."""

    name: str
    shape: RowShape

    def insert(self, first: int, packed: bool) -> str:
        names = ", ".join(name for name, _ in self.shape.columns)
        return f"INSERT INTO {self.name} ({names}) {self.shape.select(first, packed)}"


@dataclass(frozen=True, slots=True)
class ChangeTable:
    """Rows that are there already: `update` says what becomes of those that the given ones (`g`) name."""

    shape: RowShape
    update: str

    def statement(self) -> str:
        return f"WITH g AS ({self.shape.select(1, False)}) {self.update}"


Documents = Mapping[DocumentTable, Sequence[tuple[Any, ...]]]
Changes = Mapping[ChangeTable, Sequence[tuple[Any, ...]]]


async def write_changes(connection: Any, changes: Changes) -> None:
    """One statement a table, on locked rows."""
    for table, rows in changes.items():
        if rows:
            _, given = table.shape.bind(rows)
            await connection.execute(table.statement(), *given)


def insert_documents(tables: Sequence[tuple[DocumentTable, bool]], first: int) -> str:
    """CTEs that insert into `tables` (each packed or not), each to be followed by more of the statement."""
    parts = []
    for number, (table, packed) in enumerate(tables):
        parts.append(f"document_{number} AS ({table.insert(first, packed)}), ")
        first += len(table.shape.columns)
    return "".join(parts)


def bind_documents(documents: Documents) -> tuple[tuple[tuple[DocumentTable, bool], ...], list[Any]]:
    """The tables that get rows, each with its form, and the parameters of `insert_documents`."""
    tables, parameters = [], []
    for table, rows in documents.items():
        if rows:
            packed, given = table.shape.bind(rows)
            tables.append((table, packed))
            parameters += given
    return tuple(tables), parameters
