"""The part of the vendor's search syntax that the store understands.

`sku:A OR sku:B`, `created_at:>='2026-01-01T00:00:00Z' status:open`: terms beside each other must all hold,
OR separates alternatives. The vendor ignores a filter it does not know; here that is an error, because a
filter silently ignored would make a test pass for the wrong reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

Getter = Callable[[Any], str | float | bool]
Predicate = Callable[[Any], bool]

_TERM = re.compile(
    r"""(?P<name>[a-z_]+):(?P<op><=|>=|<|>)?(?P<value>"[^"]*"|'[^']*'|\S+)|(?P<bad>\S+)""", re.IGNORECASE
)
TERMS_MAX = 250


def compile_search(query: str | None, getters: Mapping[str, Getter]) -> Predicate:
    """Raises GraphQLError for a filter or a value the store does not understand."""
    if not query or not query.strip():
        return lambda entry: True
    alternatives = [_compile_terms(part, getters) for part in re.split(r"\s+OR\s+", query.strip())]
    if len(alternatives) > TERMS_MAX:
        raise GraphQLError(f"a query has at most {TERMS_MAX} alternatives")
    return lambda entry: any(all(term(entry) for term in terms) for terms in alternatives)


def _compile_terms(part: str, getters: Mapping[str, Getter]) -> list[Predicate]:
    return [_compile_term(match, getters) for match in _TERM.finditer(part) if match.group(0).upper() != "AND"]


def _compile_term(match: re.Match[str], getters: Mapping[str, Getter]) -> Predicate:
    if match["bad"]:
        raise GraphQLError(f"the sandbox store only searches by field: {match['bad']!r} has none")
    name, operator, value = match["name"], match["op"] or "=", match["value"].strip("\"'")
    getter = getters.get(name)
    if getter is None:
        raise GraphQLError(f"the sandbox store does not search by {name}; it does by {', '.join(getters)}")
    return _compare(getter, operator, value)


def _compare(getter: Getter, operator: str, text: str) -> Predicate:
    def holds(entry: Any) -> bool:
        actual = getter(entry)
        if isinstance(actual, float):
            return _ordered(actual, operator, _read_number(text))
        if isinstance(actual, bool):
            return actual is (text.lower() == "true")
        return actual.lower() == text.lower()

    return holds


def _ordered(actual: float, operator: str, wanted: float) -> bool:
    outcomes = {
        "=": actual == wanted,
        "<": actual < wanted,
        ">": actual > wanted,
        "<=": actual <= wanted,
        ">=": actual >= wanted,
    }
    return outcomes[operator]


def _read_number(text: str) -> float:
    """A number, or a time as seconds since the epoch; a time without zone is UTC."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise GraphQLError(f"{text!r} is neither a number nor a time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
