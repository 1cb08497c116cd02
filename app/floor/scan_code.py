"""One scan, whatever the code is printed on: a thing, a place, an order, a transfer, a return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from app.catalog.read_catalog import read_skus_by_ids
from app.floor.find_document import read_label
from app.orders.read_orders import read_order
from app.returns.read_returns import read_return
from app.transfers.read_transfers import read_transfer
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

CODE_LENGTH_MAX = 200
MATCHES_MAX = 10
_SKUS = """
SELECT id FROM skus WHERE code = $1 OR barcode = ANY($2::text[]) ORDER BY code = $1 DESC, id LIMIT $3
"""
_BINS = """
SELECT b.id, b.code, b.sequence, b.capacity_ml, b.status, z.code AS zone, z.kind AS zone_kind, w.code AS warehouse
FROM bins b JOIN zones z ON z.id = b.zone_id JOIN warehouses w ON w.id = b.warehouse_id
WHERE b.code = $1 AND ($2::int[] IS NULL OR b.warehouse_id = ANY($2)) ORDER BY b.id LIMIT $3
"""
_ORDERS = "SELECT id FROM orders WHERE external_id = $1 OR name = $1 ORDER BY id DESC LIMIT $2"
_BY_NUMBER = "SELECT id FROM {} WHERE number = $1"


@dataclass(frozen=True, slots=True)
class ScanMatch:
    """`kind`: SKU, BIN, ORDER, TRANSFER or RETURN. `row`: what its area reads of it."""

    kind: str
    row: Any


def spell_code(code: str) -> list[str]:
    """The ways in which one article number is printed: 12, 13 or 14 digits, with zeros before it."""
    spelled = [code]
    if code.isascii() and code.isdigit() and 12 <= len(code) <= 14:
        bare = code.lstrip("0")
        spelled += [bare.zfill(length) for length in (12, 13, 14) if len(bare) <= length]
    return list(dict.fromkeys(spelled))


async def scan_code(database: Database, principal: Principal, code: str, *, orders: bool) -> list[ScanMatch]:
    """All that the code may mean, the likeliest first; empty when it means nothing that the principal may see.

    `orders`: whether orders are the principal's to read. Raises `Refusal` INVALID_INPUT for what is no code.
    """
    text = code.strip()
    if not text or len(text) > CODE_LENGTH_MAX or "\x00" in text:
        raise Refusal(RefusalCode.INVALID_INPUT, f"A code has 1 to {CODE_LENGTH_MAX} characters.", ("code",))
    found = [ScanMatch("SKU", row) for row in await _find_skus(database, text)]
    houses = None if principal.warehouse_ids is None else sorted(principal.warehouse_ids)
    found += [ScanMatch("BIN", row) for row in await database.hot.fetch(_BINS, text, houses, MATCHES_MAX)]
    found += await _find_documents(database, principal, text)
    if orders:
        ids = [row[0] for row in await database.hot.fetch(_ORDERS, text, MATCHES_MAX)]
        rows = [await read_order(database.hot, principal, order_id, None, None) for order_id in ids]
        found += [ScanMatch("ORDER", row) for row in rows if row is not None]
    return found[:MATCHES_MAX]


async def _find_skus(database: Database, text: str) -> Sequence[Any]:
    ids = [row[0] for row in await database.hot.fetch(_SKUS, text, spell_code(text), MATCHES_MAX)]
    rows = {row["s_id"]: row for row in await read_skus_by_ids(database, ids)} if ids else {}
    return [rows[sku_id] for sku_id in ids]


async def _find_documents(database: Database, principal: Principal, text: str) -> list[ScanMatch]:
    found = []
    for kind, table, read in (("transfer", "transfers", read_transfer), ("return", "returns", read_return)):
        number = read_label(kind, text)
        key: UUID | None = None if number is None else await database.hot.fetchval(_BY_NUMBER.format(table), number)
        row = None if key is None else await read(database, principal, key)
        if row is not None:
            found.append(ScanMatch(kind.upper(), row))
    return found
