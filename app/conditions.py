"""The WHERE of a filter: only what was asked for, so that PostgreSQL plans for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Conditions:
    """Conditions joined with AND, and the values they take as parameters. Texts are ours, values are the caller's."""

    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def place(self, value: Any) -> str:
        """The parameter that stands for a value, as in `$3`."""
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, text: str, *values: Any) -> None:
        """`text` has a `{}` for each value."""
        self.parts.append(text.format(*map(self.place, values)))

    @property
    def where(self) -> str:
        return f"WHERE {' AND '.join(self.parts)}" if self.parts else ""
