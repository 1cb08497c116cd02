"""The one door to stock: lock rows in key order, then write what was decided on them, all at once.

Only use cases import this. Between `lock_rows` and `write_book` a pure decision is made on the book;
balances, movements and the change feed are then written by one statement in the caller's transaction.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from adapters.postgres.documents import Documents, DocumentTable, bind_documents, insert_documents
from adapters.postgres.feed import PLACE
from adapters.postgres.rows import RowShape
from domain.provenance import Provenance, Remarks
from domain.stock import ACCOUNTS, BUCKETS, Balance, Book, StockKey

_COLUMNS = ", ".join(f"l.{name}" for name in ACCOUNTS)

_CREATE_ROWS = """
INSERT INTO stock_levels (sku_id, warehouse_id)
SELECT s, w FROM unnest($1::int[], $2::int[]) AS wanted (s, w)
ON CONFLICT DO NOTHING
"""

_LOCK_ROWS = f"""
SELECT l.sku_id, l.warehouse_id, l.version, l.incoming, l.safety_stock, l.updated_at, {_COLUMNS}
FROM stock_levels l JOIN unnest($1::int[], $2::int[]) AS wanted (s, w)
  ON l.sku_id = wanted.s AND l.warehouse_id = wanted.w
ORDER BY l.sku_id, l.warehouse_id
FOR UPDATE OF l
"""  # noqa: S608

_BALANCES = ", ".join(f"{name} = b.{name}" for name in ACCOUNTS)
_BALANCE_ARRAYS = ", ".join(f"${3 + index}::bigint[]" for index in range(len(ACCOUNTS)))
_INCOMING = 3 + len(ACCOUNTS)
_NEXT = _INCOMING + 1

_MOVEMENTS = RowShape(
    (
        *(("s", "int"), ("w", "int"), ("f", "text"), ("t", "text"), ("q", "int"), ("fa", "bigint"), ("ta", "bigint")),
        *(("v", "bigint"), ("e", "timestamptz"), ("r", "text"), ("n", "text"), ("ref", "text"), ("doc", "text")),
        *(("a", "text"), ("tok", "text"), ("req", "text"), ("ik", "text"), ("uc", "numeric"), ("cur", "text")),
    ),
    shared=frozenset({"f", "t", "e", "r", "n", "ref", "a", "tok", "uc", "cur"}),
)
_FIRST_MOVEMENT = _NEXT + 2
_FIRST_DOCUMENT = _FIRST_MOVEMENT + len(_MOVEMENTS.columns)


@lru_cache(maxsize=256)
def _write_statement(packed: bool, tables: tuple[tuple[DocumentTable, bool], ...]) -> str:
    return f"""
WITH balance AS (
  UPDATE stock_levels l SET {_BALANCES}, incoming = b.incoming, version = l.version + 1, updated_at = ${_NEXT}
  FROM unnest($1::int[], $2::int[], {_BALANCE_ARRAYS}, ${_INCOMING}::int[])
    AS b (s, w, {", ".join(ACCOUNTS)}, incoming)
  WHERE l.sku_id = b.s AND l.warehouse_id = b.w
), {insert_documents(tables, _FIRST_DOCUMENT)}fed AS (
  INSERT INTO feed (xid, topic, key, sku_id, warehouse_id, payload)
  SELECT {PLACE}, 'stock', s || '.' || w, s, w, p
  FROM unnest($1::int[], $2::int[], ${_NEXT + 1}::json[]) AS f (s, w, p)
)
INSERT INTO stock_movements
  (sku_id, warehouse_id, from_bucket, to_bucket, quantity, from_balance_after, to_balance_after, version,
   posted_at, effective_at, reason, note, reference, document, actor, token_id, request_id, idempotency_key,
   unit_cost, currency)
SELECT s, w, f, t, q, fa, ta, v, ${_NEXT}, coalesce(e, ${_NEXT}), r, n, ref, doc, a, tok, req, ik, uc, cur
FROM ({_MOVEMENTS.select(_FIRST_MOVEMENT, packed)}) AS m
RETURNING id
"""  # noqa: S608


_KEEP_BACK = f"""
WITH kept AS (
  UPDATE stock_levels l SET safety_stock = b.units, version = l.version + 1, updated_at = $4
  FROM unnest($1::int[], $2::int[], $3::int[]) AS b (s, w, units) WHERE l.sku_id = b.s AND l.warehouse_id = b.w
)
INSERT INTO feed (xid, topic, key, sku_id, warehouse_id, payload)
SELECT {PLACE}, 'stock', s || '.' || w, s, w, p FROM unnest($1::int[], $2::int[], $5::json[]) AS f (s, w, p)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Footing:
    """What every movement of one command keeps: who, why, and the document it belongs to."""

    provenance: Provenance
    remarks: Remarks
    document: str | None = None
    effective_at: datetime.datetime | None = None
    unit_cost: Decimal | None = None
    currency: str | None = None


async def lock_rows(connection: Any, keys: Iterable[StockKey]) -> Book:
    """Lock the rows of `keys` in key order, creating missing ones, and open a book on them.

    Waits for other transactions that hold one of them; deadlocks cannot come from here, since every
    caller locks all its rows with this one call.
    """
    wanted = sorted(set(keys))
    skus, warehouses = [key.sku_id for key in wanted], [key.warehouse_id for key in wanted]
    records = await connection.fetch(_LOCK_ROWS, skus, warehouses)
    if len(records) < len(wanted):
        await connection.execute(_CREATE_ROWS, skus, warehouses)
        records = await connection.fetch(_LOCK_ROWS, skus, warehouses)
    return Book({StockKey(record[0], record[1]): _balance(record) for record in records})


def _balance(record: Sequence[Any]) -> Balance:
    return Balance(list(record[6:]), record[2], record[3], record[4], record[5])


async def write_book(
    connection: Any,
    book: Book,
    footings: Sequence[Footing],
    now: datetime.datetime,
    documents: Documents | None = None,
) -> list[int]:
    """Write balances, movements, feed rows and documents of a decided book. Returns the movements' ids in entry order.

    `footings[i]` belongs to `book.entries[i]`. The database has the last word: a bucket below zero or a
    row that does not add up to zero fails the whole transaction.
    """
    tables, rows = bind_documents(documents or {})
    changed = book.changed()
    if not changed and not tables:
        return []
    versions = {key: balance.version + 1 for key, balance in changed}
    packed, movements = _MOVEMENTS.bind(_movement_rows(book, footings, versions))
    records = await connection.fetch(
        _write_statement(packed, tables),
        [key.sku_id for key, _ in changed],
        [key.warehouse_id for key, _ in changed],
        *_columns([balance.accounts for _, balance in changed], len(ACCOUNTS)),
        [balance.incoming for _, balance in changed],
        now,
        [feed_payload(balance, now) for _, balance in changed],
        *movements,
        *rows,
    )
    return sorted(record[0] for record in records)


async def write_safety_stock(
    connection: Any, book: Book, wanted: Mapping[StockKey, int], now: datetime.datetime
) -> set[StockKey]:
    """Write what locked rows keep back, units, each with a feed row. Returns those that kept another number before.

    No unit moves, so there are no movements; the version goes up, since channels and routing may sell another number.
    """
    changed = [key for key, units in sorted(wanted.items()) if book.balances[key].safety_stock != units]
    for key in changed:
        book.balances[key].safety_stock = wanted[key]
    if changed:
        await connection.execute(
            _KEEP_BACK,
            [key.sku_id for key in changed],
            [key.warehouse_id for key in changed],
            [wanted[key] for key in changed],
            now,
            [feed_payload(book.balances[key], now) for key in changed],
        )
    return set(changed)


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _movement_rows(book: Book, footings: Sequence[Footing], versions: dict[StockKey, int]) -> list[tuple[Any, ...]]:
    return [
        (
            *entry.key,
            *entry[1:],
            versions[entry.key],
            footing.effective_at,
            footing.remarks.reason,
            footing.remarks.note,
            footing.remarks.reference,
            footing.document,
            footing.provenance.actor,
            footing.provenance.token_id,
            footing.provenance.request_id,
            footing.provenance.idempotency_key,
            footing.unit_cost,
            footing.currency,
        )
        for entry, footing in zip(book.entries, footings, strict=True)
    ]


def feed_payload(balance: Balance, now: datetime.datetime) -> str:
    """The state after the change, as subscribers get it: units, the new version, ISO 8601 UTC."""
    state: dict[str, Any] = dict(zip(BUCKETS, balance.accounts, strict=False))
    state["incoming"] = balance.incoming
    state["safety_stock"] = balance.safety_stock
    state["version"] = balance.version + 1
    state["updated_at"] = now
    return orjson.dumps(state).decode()
