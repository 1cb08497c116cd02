"""Cuts a list into the vendor's connections. A cursor names the last entry's sort key, not its place, so a
page does not shift when entries come and go.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from graphql import GraphQLError

PAGE_MAX = 250

SortKey = Callable[[Any], list[Any]]


def build_connection(entries: Iterable[Any], key: SortKey, args: dict[str, Any]) -> dict[str, Any]:
    """One page. `key` must be unique per entry and JSON-able. Raises GraphQLError for bad page arguments."""
    size, forward = _read_size(args)
    backward_order = bool(args.get("reverse"))
    ordered = sorted(entries, key=key, reverse=backward_order)
    after, before = _read_cursor(args.get("after")), _read_cursor(args.get("before"))
    window = [
        entry for entry in ordered
        if (after is None or _follows(key(entry), after, backward_order))
        and (before is None or _follows(before, key(entry), backward_order))
    ]  # fmt: skip
    page = window[:size] if forward else window[max(0, len(window) - size) :]
    edges = [{"cursor": _write_cursor(key(entry)), "node": entry} for entry in page]
    return {"edges": edges, "nodes": page, "pageInfo": _page_info(edges, page, ordered)}


def _page_info(edges: list[dict[str, Any]], page: list[Any], ordered: list[Any]) -> dict[str, Any]:
    return {
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
        "hasNextPage": bool(page) and page[-1] is not ordered[-1],
        "hasPreviousPage": bool(page) and page[0] is not ordered[0],
    }


def _read_size(args: dict[str, Any]) -> tuple[int, bool]:
    first, last = args.get("first"), args.get("last")
    if (first is None) == (last is None):
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    size = first if first is not None else last
    assert isinstance(size, int)
    if not 0 <= size <= PAGE_MAX:
        raise GraphQLError(f"a page has 0 to {PAGE_MAX} entries", extensions={"code": "BAD_REQUEST"})
    return size, first is not None


def _follows(later: list[Any], earlier: list[Any], backward_order: bool) -> bool:
    try:
        return later < earlier if backward_order else later > earlier
    except TypeError:
        raise GraphQLError("Invalid cursor for current pagination sort.") from None


def _write_cursor(key: list[Any]) -> str:
    return base64.b64encode(orjson.dumps(key)).decode()


def _read_cursor(cursor: str | None) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        key = orjson.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list):
        raise GraphQLError("Invalid cursor for current pagination sort.")
    return key
