"""SKUs and warehouses as JSON inside a document's row: one statement reads a page of documents whole."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.stock.read_stock import SKU_COLUMNS, WAREHOUSE_COLUMNS

_COLUMN = re.compile(r"(.+?) AS (\w+),?\s*")


def _build(columns: str, alias: str) -> str:
    """`columns` are of a table called by one letter; money is text, so that no digit is lost."""
    parts = []
    for value, name in _COLUMN.findall(" ".join(columns.split())):
        text = "::text" if name.endswith("_cost") else ""
        parts.append(f"'{name}', {re.sub(r'(?<![a-z_.])[a-z][.]', alias + '.', value)}{text}")
    return f"json_build_object({', '.join(parts)})"


def sku_json(alias: str) -> str:
    return _build(SKU_COLUMNS, alias)


def warehouse_json(alias: str) -> str:
    return _build(WAREHOUSE_COLUMNS, alias)


def load_row(record: Any, *names: str) -> dict[str, Any]:
    """A record whose columns `names` are JSON text."""
    return {**dict(record), **{name: orjson.loads(record[name]) for name in names if record[name] is not None}}
