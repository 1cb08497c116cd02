"""Create and change warehouses and SKUs."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.tables import warehouses
from app.stock.reserve_stock import check_line_count
from app.transact import transact
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

CODE = re.compile(r"[^\s\x00-\x1f]([^\x00-\x1f]{0,98}[^\s\x00-\x1f])?")
CURRENCY = re.compile(r"[A-Z]{3}")

_UPSERT_SKUS = """
INSERT INTO skus AS s (code, title, barcode, unit_cost, currency, weight_grams, volume_ml, status)
SELECT c, coalesce(t, c), b, u, coalesce(cur, 'EUR'), w, v, coalesce(st, 'ACTIVE')
FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[], $6::int[], $7::int[], $8::text[])
  AS x (c, t, b, u, cur, w, v, st)
ON CONFLICT (code) DO UPDATE SET
  title = coalesce($9::jsonb -> excluded.code ->> 't', s.title),
  barcode = coalesce(excluded.barcode, s.barcode),
  unit_cost = coalesce(excluded.unit_cost, s.unit_cost),
  currency = CASE WHEN excluded.unit_cost IS NULL THEN s.currency ELSE excluded.currency END,
  weight_grams = coalesce(excluded.weight_grams, s.weight_grams),
  volume_ml = coalesce(excluded.volume_ml, s.volume_ml),
  status = coalesce($9::jsonb -> excluded.code ->> 's', s.status)
RETURNING *
"""


@dataclass(frozen=True, slots=True)
class SkuLine:
    """A SKU to create or change; what is None keeps its value."""

    code: str
    title: str | None = None
    barcode: str | None = None
    unit_cost: Decimal | None = None
    currency: str | None = None
    weight_grams: int | None = None
    volume_ml: int | None = None
    status: str | None = None


def check_code(code: str, path: tuple[str, ...]) -> None:
    """Refuse a code that is empty, longer than 100 characters, padded, or holds control characters."""
    if CODE.fullmatch(code) is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "A code has 1 to 100 characters and no blanks at its ends.", path)


async def upsert_skus(connection: Any, lines: Sequence[SkuLine]) -> list[Any]:
    """Create or change SKUs, all or none, on the caller's transaction; rows in the order of the lines.

    Raises `Refusal` TOO_MANY_LINES, INVALID_INPUT, DUPLICATE_LINE, or ALREADY_EXISTS for a taken barcode.
    """

    check_line_count(len(lines))
    _check_lines(lines)
    kept = {line.code: {k: v for k, v in (("t", line.title), ("s", line.status)) if v is not None} for line in lines}
    columns = zip(
        *(
            (l.code, l.title, l.barcode, l.unit_cost, l.currency, l.weight_grams, l.volume_ml, l.status)
            for l in lines  # noqa: E741
        ),
        strict=True,
    )
    try:
        async with connection.transaction():
            rows = await connection.fetch(
                _UPSERT_SKUS, *(list(column) for column in columns), orjson.dumps(kept).decode()
            )
    except asyncpg.UniqueViolationError as error:
        raise Refusal(
            RefusalCode.ALREADY_EXISTS, f"A barcode belongs to another SKU: {error.detail}", ("lines",)
        ) from error
    by_code = {row["code"]: row for row in rows}
    return [by_code[line.code] for line in lines]


def _check_lines(lines: Sequence[SkuLine]) -> None:
    seen: set[str] = set()
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        check_code(line.code, (*path, "code"))
        if line.barcode is not None:
            check_code(line.barcode, (*path, "barcode"))
        if line.code in seen:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {line.code!r} comes twice.", (*path, "code"))
        seen.add(line.code)
        if line.title is not None and not line.title.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, "A title is not empty.", (*path, "title"))
        if line.currency is not None and CURRENCY.fullmatch(line.currency) is None:
            raise Refusal(RefusalCode.INVALID_INPUT, "A currency is an ISO 4217 code such as EUR.", (*path, "unitCost"))
        for name in ("unit_cost", "weight_grams", "volume_ml"):
            value = getattr(line, name)
            if value is not None and value < 0:
                raise Refusal(RefusalCode.INVALID_INPUT, f"{name} is zero or more.", (*path, name))


async def save_skus(database: Database, lines: Sequence[SkuLine]) -> list[Any]:
    async def work(session: WriteSession) -> list[Any]:
        return await upsert_skus(session.raw, lines)

    return await transact(database, work)


def check_warehouse(values: dict[str, Any]) -> None:
    """Refuse what no warehouse can be: coordinates off the globe, an unknown time zone, negative capacity."""
    if "name" in values and not str(values["name"] or "").strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the warehouse a name.", ("name",))
    for name, field, limit in (("latitude", "latitude", 90), ("longitude", "longitude", 180)):
        value = values.get(name)
        if value is not None and not -limit <= value <= limit:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{field} is from -{limit} to {limit} degrees.", (field,))
    zone = values.get("time_zone")
    if zone is not None and zone not in zoneinfo.available_timezones():
        raise Refusal(RefusalCode.INVALID_INPUT, f"{zone!r} is no IANA time zone such as Europe/Berlin.", ("timeZone",))
    for name, field in (
        ("storage_capacity", "storageCapacity"),
        ("daily_order_capacity", "dailyOrderCapacity"),
    ):
        if (values.get(name) or 0) < 0:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{field} is zero or more.", (field,))


async def create_warehouse(database: Database, values: dict[str, Any]) -> Any:
    """Create a warehouse. Raises `Refusal` INVALID_INPUT or ALREADY_EXISTS."""
    check_code(values["code"], ("code",))
    check_warehouse(values)

    async def work(session: WriteSession) -> Any:
        return (await session.sql.execute(insert(warehouses).values(**values).returning(warehouses))).one()

    try:
        return await transact(database, work)
    except IntegrityError as error:
        raise Refusal(
            RefusalCode.ALREADY_EXISTS, f"There is already a warehouse {values['code']!r}.", ("code",)
        ) from error


async def update_warehouse(database: Database, principal: Principal, code: str, values: dict[str, Any]) -> Any:
    """Change what is given. Raises `Refusal` WAREHOUSE_NOT_FOUND or INVALID_INPUT."""
    check_warehouse(values)

    async def work(session: WriteSession) -> Any:
        found = (
            await session.sql.execute(select(warehouses).where(warehouses.c.code == code).with_for_update())
        ).first()
        if found is None or not principal.sees_warehouse(found.id):
            raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, f"There is no warehouse {code!r}.", ("warehouse",))
        if not values:
            return found
        changed = update(warehouses).where(warehouses.c.id == found.id).values(**values).returning(warehouses)
        return (await session.sql.execute(changed)).one()

    return await transact(database, work)
