"""Reading SKUs and warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.database import Database
from app.stock.read_stock import SKU_COLUMNS, WAREHOUSE_COLUMNS, visible
from domain.identity import Principal

_SKUS = f"SELECT {SKU_COLUMNS} FROM skus s"  # noqa: S608
_CHOSEN = (
    " WHERE ($1::text IS NULL OR s.code ILIKE $1 OR s.title ILIKE $1 OR s.barcode ILIKE $1)"
    " AND ($2::text[] IS NULL OR s.code = ANY($2) OR s.barcode = ANY($2))"
)
_COUNT = f"SELECT count(*) FROM skus s {_CHOSEN}"  # noqa: S608
_WAREHOUSES = f"SELECT {WAREHOUSE_COLUMNS} FROM warehouses w"  # noqa: S608


async def read_skus(
    database: Database, search: str | None, codes: Sequence[str] | None, after: int, limit: int
) -> Sequence[Any]:
    """SKUs by id; `search` is looked for in code, barcode and title."""
    query = _SKUS + _CHOSEN + " AND s.id > $3 ORDER BY s.id LIMIT $4"
    rows: Sequence[Any] = await database.hot.fetch(query, *_choice(search, codes), after, limit)
    return rows


async def count_skus(database: Database, search: str | None, codes: Sequence[str] | None) -> int:
    return int(await database.hot.fetchval(_COUNT, *_choice(search, codes)))


def _choice(search: str | None, codes: Sequence[str] | None) -> tuple[str | None, list[str] | None]:
    plain = None if search is None else search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return (None if plain is None else f"%{plain}%"), (None if codes is None else list(codes))


async def read_sku(database: Database, code: str) -> Any:
    """By code, else by barcode; None if there is none."""
    return await database.hot.fetchrow(
        _SKUS + " WHERE s.code = $1 OR s.barcode = $1 ORDER BY s.code = $1 DESC LIMIT 1", code
    )


async def read_skus_by_ids(database: Database, ids: Sequence[int]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(_SKUS + " WHERE s.id = ANY($1::int[])", list(ids))
    return rows


async def read_warehouses(database: Database, principal: Principal) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(
        _WAREHOUSES + " WHERE $1::int[] IS NULL OR w.id = ANY($1) ORDER BY w.code", visible(principal)
    )
    return rows


async def read_warehouses_by_ids(database: Database, ids: Sequence[int]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.hot.fetch(_WAREHOUSES + " WHERE w.id = ANY($1::int[])", list(ids))
    return rows
