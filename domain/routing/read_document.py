"""Reading a JSON object field by field, gathering every problem with its path instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

T = TypeVar("T")
Path = tuple[str, ...]
PROBLEMS_MAX = 20


class PolicyError(ValueError):
    """A document that is no policy. `problems`: (path, sentence), at most `PROBLEMS_MAX`."""

    def __init__(self, problems: Sequence[tuple[Path, str]]) -> None:
        super().__init__(" ".join(f"{'.'.join(path) or 'policy'}: {message}" for path, message in problems))
        self.problems = list(problems[:PROBLEMS_MAX])


@dataclass(slots=True)
class Reader:
    """One JSON object. What is wrong goes to `problems`, shared by the readers of all objects inside."""

    given: Mapping[str, Any]
    path: Path
    problems: list[tuple[Path, str]]
    known: set[str] = field(default_factory=set)

    def refuse(self, name: str, message: str) -> None:
        self.problems.append(((*self.path, name), message))

    def close(self) -> None:
        """Refuse fields that nobody asked for: a misspelt filter would otherwise let everything through."""
        for name in self.given:
            if name not in self.known:
                self.refuse(str(name), "is not a field of this object.")

    def _get(self, name: str) -> Any:
        self.known.add(name)
        return self.given.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        value = self._get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not 1 <= len(value) <= 200:
            self.refuse(name, "must be a text of 1 to 200 characters.")
            return ""
        return value

    def flag(self, name: str, default: T) -> bool | T:
        value = self._get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse(name, "must be true or false.")
            return default
        return value

    def whole(self, name: str, default: T, low: int, high: int) -> int | T:
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(name, f"must be a whole number from {low} to {high}.")
            return default
        return value

    def number(self, name: str, default: T, low: float, high: float) -> float | T:
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(name, f"must be a number from {low:g} to {high:g}.")
            return default
        return float(value)

    def micros(self, name: str, default: T) -> int | T:
        """An amount as a number or a string such as "4.50", in millionths; at most a million, six digits behind."""
        value = self._get(name)
        if value is None:
            return default
        try:
            amount = Decimal(str(value)) * 1_000_000
            if not isinstance(value, bool) and 0 <= amount <= 10**12 and amount == amount.to_integral_value():
                return int(amount)
        except InvalidOperation:
            pass
        self.refuse(name, "must be an amount from 0 to 1000000 with at most six decimals.")
        return default

    def texts(self, name: str, pattern: str | None = None, most: int = 500) -> list[str] | None:
        """None when it is not given."""
        value = self._get(name)
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or len(value) > most
            or not all(isinstance(item, str) and item for item in value)
        ):
            self.refuse(name, f"must be a list of at most {most} texts.")
            return None
        wrong = [] if pattern is None else [item for item in value if re.fullmatch(pattern, item) is None]
        if wrong:
            self.refuse(name, f"has {wrong[0]!r}, which does not look like one.")
        return value

    def item(self, name: str) -> Reader:
        """The object under `name`, an empty one when it is not there."""
        value = self._get(name)
        if value is not None and not isinstance(value, Mapping):
            self.refuse(name, "must be an object.")
            value = None
        return Reader(value or {}, (*self.path, name), self.problems)

    def items(self, name: str, read: Callable[[Reader], T], least: int, most: int) -> tuple[T, ...]:
        """The objects of the list under `name`, each read and closed."""
        value = self._get(name)
        found = value if isinstance(value, list) else []
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.refuse(name, f"must be a list of {least} to {most} objects.")
            found = found[:most]
        made = []
        for index, given in enumerate(found):
            path = (*self.path, name, str(index))
            if not isinstance(given, Mapping):
                self.problems.append((path, "must be an object."))
                continue
            reader = Reader(given, path, self.problems)
            made.append(read(reader))
            reader.close()
        return tuple(made)
