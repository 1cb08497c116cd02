"""Nothing counted twice or lost: the books against what the simulation knows by itself, without asking Onhand.

Each house holds what was put into it and has not left in a parcel, whatever became of the orders; what is reserved is
what companies were promised; and what the marketplaces' buyers still want, or were sent before they changed their minds,
is what is committed to them, was shipped, or waits for stock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LEVELS = """
SELECT k.code AS sku, w.code AS house, v.available, v.reserved, v.committed, v.damaged + v.quality_control AS unsound
FROM stock_levels v JOIN skus k ON k.id = v.sku_id JOIN warehouses w ON w.id = v.warehouse_id
"""
_LINES = """
SELECT c.code AS channel, o.external_id AS "order", k.code AS sku, l.allocated, l.shipped,
  l.quantity - l.cancelled - l.allocated - l.shipped AS waiting
FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN channels c ON c.id = o.channel_id JOIN skus k ON k.id = l.sku_id
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """`held`: units by (warehouse, SKU); `reserved`: by SKU; `live`: wanted, and `gone`: in parcels, by (channel,
    order, SKU).
    """

    held: Mapping[tuple[str, str], int]
    reserved: Mapping[str, int]
    live: Mapping[tuple[str, str, str], int]
    gone: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class Books:
    """The same of Onhand; `allocated`, `shipped` and `waiting` by (channel, order, SKU), `committed` by SKU."""

    held: Counter[tuple[str, str]]
    reserved: Counter[str]
    committed: Counter[str]
    allocated: Counter[tuple[str, str, str]]
    shipped: Counter[tuple[str, str, str]]
    waiting: Counter[tuple[str, str, str]]


async def read_books(connection: Any) -> Books:
    books = Books(Counter(), Counter(), Counter(), Counter(), Counter(), Counter())
    for row in await connection.fetch(_LEVELS):
        sku = row["sku"]
        books.held[row["house"], sku] += row["available"] + row["reserved"] + row["committed"] + row["unsound"]
        books.reserved[sku] += row["reserved"]
        books.committed[sku] += row["committed"]
    for row in await connection.fetch(_LINES):
        name = (row["channel"], row["order"], row["sku"])
        books.allocated[name] += row["allocated"]
        books.shipped[name] += row["shipped"]
        books.waiting[name] += row["waiting"]
    return books


def compare_books(truth: Truth, books: Books) -> list[str]:
    """What differs, in words."""
    wanted = books.allocated + books.shipped + books.waiting
    live = {name: max(truth.live.get(name, 0), truth.gone.get(name, 0)) for name in {*truth.live, *truth.gone}}
    promised = Counter[str]()
    for (_, _, sku), units in books.allocated.items():
        promised[sku] += units
    return [
        *_compare("in {}, {}: {} in the books, {} put in and not sent", books.held, truth.held),
        *_compare("{}: {} reserved in the books, {} promised", books.reserved, truth.reserved),
        *_compare("{} order {}, {}: {} wanted in the books, {} by its buyer", wanted, live),
        *_compare("{} order {}, {}: {} shipped in the books, {} in parcels", books.shipped, truth.gone),
        *_compare("{}: {} committed in the books, {} to orders", books.committed, promised),
    ]


def _compare(words: str, found: Mapping[Any, int], right: Mapping[Any, int]) -> list[str]:
    names = sorted(name for name in {*found, *right} if found.get(name, 0) != right.get(name, 0))
    return [
        words.format(*(name if isinstance(name, tuple) else (name,)), found.get(name, 0), right.get(name, 0))
        for name in names
    ]
