"""What comes back of a kit is its components: a kit has no stock of its own, and comes back whole or in parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from domain.returned_lines import LinePart
from domain.stock import check_quantity

_COMPONENTS = """
SELECT k.kit_id, k.component_id, c.code, k.quantity FROM kit_components k JOIN skus c ON c.id = k.component_id
WHERE k.kit_id = ANY($1::int[]) ORDER BY k.kit_id, c.code
"""
_LINES = """
SELECT l.external_id, l.sku_code AS code, coalesce(k.component_id, l.sku_id) AS sku_id,
  coalesce(k.quantity, 1) AS units, l.shipped * coalesce(k.quantity, 1) AS shipped, l.line
FROM order_lines l LEFT JOIN kit_components k ON k.kit_id = l.sku_id WHERE l.order_id = $1 AND l.sku_id IS NOT NULL
UNION ALL
SELECT split_part(l.external_id, '#', 1), s.code, l.sku_id, k.quantity, l.shipped, l.line
FROM order_lines l JOIN skus c ON c.id = l.sku_id JOIN kit_components k ON k.component_id = l.sku_id
JOIN skus s ON s.id = k.kit_id AND l.external_id = split_part(l.external_id, '#', 1) || '#' || s.code || '#' || c.code
WHERE l.order_id = $1 ORDER BY line
"""


class Countable(Protocol):
    @property
    def sku(self) -> str | None: ...
    @property
    def quantity(self) -> int: ...


L = TypeVar("L", bound=Countable)
K = TypeVar("K", bound=int | None)


async def split_kits(connection: Any, lines: Iterable[tuple[K, L]], *, merge: bool = True) -> list[tuple[K, L, int]]:
    """The lines with components in place of kits, each with the place in the input that it comes from.

    `merge`: a SKU that comes twice then is one line. Raises `Refusal` INVALID_QUANTITY.
    """
    given = list(lines)
    parts: dict[Any, list[Any]] = {}
    for row in await connection.fetch(_COMPONENTS, [sku_id for sku_id, _ in given if sku_id is not None]):
        parts.setdefault(row["kit_id"], []).append(row)
    split: list[tuple[K, L, int]] = []
    for place, (sku_id, line) in enumerate(given):
        split += [(part["component_id"], _multiply(line, part, place), place) for part in parts.get(sku_id, ())]
        if sku_id not in parts:
            split.append((sku_id, line, place))
    return _merge(split) if merge and parts else split


def _multiply(line: Any, part: Any, place: int) -> Any:
    units = line.quantity * part["quantity"]
    check_quantity(units, ("lines", str(place), "quantity"))
    return replace(line, sku=part["code"], quantity=units)


def _merge(lines: Sequence[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for sku_id, line, place in lines:
        key = ("unknown", place) if sku_id is None else sku_id
        _, known, first = found.get(key, (None, None, place))
        found[key] = (sku_id, line if known is None else replace(line, quantity=known.quantity + line.quantity), first)
    return list(found.values())


async def find_sold_units(
    connection: Any, order_id: Any, lines: Iterable[tuple[str, int]], items: Iterable[tuple[str, int]]
) -> dict[int, int]:
    """Units by SKU id of what a channel names: of `lines` by its id of the order's line, of `items` by the SKU sold."""
    by_line: dict[str, dict[int, int]] = {}
    by_code: dict[str, dict[int, int]] = {}
    for row in await connection.fetch(_LINES, order_id):
        by_line.setdefault(row["external_id"], {})[row["sku_id"]] = row["units"]
        by_code.setdefault(row["code"], {})[row["sku_id"]] = row["units"]
    found: dict[int, int] = {}
    for names, by_name in ((lines, by_line), (items, by_code)):
        for name, units in names:
            for sku_id, per_unit in by_name.get(name, {}).items():
                found[sku_id] = found.get(sku_id, 0) + max(0, units) * per_unit
    return {sku_id: units for sku_id, units in found.items() if units > 0}


async def read_sold_lines(connection: Any, order_id: Any) -> dict[str, list[LinePart]]:
    """What each line of an order is made of, by the channel's id of it."""
    lines: dict[str, list[LinePart]] = {}
    for row in await connection.fetch(_LINES, order_id):
        lines.setdefault(row["external_id"], []).append(LinePart(row["sku_id"], row["units"], row["shipped"]))
    return lines
