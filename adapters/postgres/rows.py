"""Many rows as parameters of one statement: an array for each column, and a single value where all rows share it.

Encoding and decoding arrays of one repeated value is a good part of what a batch of reservations costs. A statement
has two forms only, with all of its `shared` columns as single values or none, so that few plans are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowShape:
    """`columns`: (name, SQL type) in the order of a row's values. `shared`: those usually the same in a whole batch."""

    columns: tuple[tuple[str, str], ...]
    shared: frozenset[str] = field(default_factory=frozenset)

    def select(self, first: int, packed: bool) -> str:
        """A SELECT of the rows given as parameters from `$first` on; one parameter a column in either form."""
        single = self.shared if packed else frozenset()
        arrays = [(n, name, kind) for n, (name, kind) in enumerate(self.columns, first) if name not in single]
        values = ", ".join(
            f"${n}::{kind} AS {name}" if name in single else name for n, (name, kind) in enumerate(self.columns, first)
        )
        source = ", ".join(f"${n}::{kind}[]" for n, _, kind in arrays)
        return f"SELECT {values} FROM unnest({source}) AS given ({', '.join(name for _, name, _ in arrays)})"  # noqa: S608

    def bind(self, rows: Sequence[Sequence[Any]]) -> tuple[bool, list[Any]]:
        """Whether the rows fit the packed form, and the parameters."""
        if not rows:
            return False, [[] for _ in self.columns]
        given = [list(column) for column in zip(*rows, strict=True)]
        if not self.shared:
            return False, given
        named = list(zip(self.columns, given, strict=True))
        packed = all(column.count(column[0]) == len(column) for (name, _), column in named if name in self.shared)
        if packed:
            given = [column[0] if name in self.shared else column for (name, _), column in named]
        return packed, given
