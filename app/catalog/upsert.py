"""Create and change SKUs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

from adapters.postgres.database import Database
from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.run_once import Answer, run_once
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode

CODE = re.compile(r"[^\s\x00-\x1f]([^\x00-\x1f]{0,98}[^\s\x00-\x1f])?")
CURRENCY = re.compile(r"[A-Z]{3}")
TAGS_MAX = 50
COST_LIMIT = 10_000_000_000
"""The columns are NUMERIC(14, 4)."""

_UPSERT_SKUS = """
INSERT INTO skus AS s (code, title, barcode, unit_cost, currency, weight_grams, volume_ml, status, tags)
SELECT c, coalesce(t, c), b, u, coalesce(cur, 'EUR'), w, v, coalesce(st, 'ACTIVE'),
  coalesce(ARRAY(SELECT jsonb_array_elements_text($9::jsonb -> c -> 'g')), '{}')
FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[], $6::int[], $7::int[], $8::text[])
  AS x (c, t, b, u, cur, w, v, st)
ORDER BY c
ON CONFLICT (code) DO UPDATE SET
  title = coalesce($9::jsonb -> excluded.code ->> 't', s.title),
  barcode = coalesce(excluded.barcode, s.barcode),
  unit_cost = coalesce(excluded.unit_cost, s.unit_cost),
  currency = CASE WHEN excluded.unit_cost IS NULL THEN s.currency ELSE excluded.currency END,
  weight_grams = coalesce(excluded.weight_grams, s.weight_grams),
  volume_ml = coalesce(excluded.volume_ml, s.volume_ml),
  status = coalesce($9::jsonb -> excluded.code ->> 's', s.status),
  tags = CASE WHEN $9::jsonb -> excluded.code ? 'g' THEN excluded.tags ELSE s.tags END
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
    tags: Sequence[str] | None = None


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
    kept = {
        line.code: {k: v for k, v in (("t", line.title), ("s", line.status), ("g", line.tags)) if v is not None}
        for line in lines
    }
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
        check_text(line.title, "title", path=path)
        check_cost(line.unit_cost, line.currency, (*path, "unitCost"))
        check_tags(line.tags, (*path, "tags"))
        for field, value in (("weightGrams", line.weight_grams), ("volumeMl", line.volume_ml)):
            if value is not None and value < 0:
                raise Refusal(RefusalCode.INVALID_INPUT, f"{field} is zero or more.", (*path, field))


def check_tags(tags: Sequence[str] | None, path: tuple[str, ...]) -> None:
    """Refuse more than `TAGS_MAX` names, and names that are no codes."""
    if tags is None:
        return
    if len(tags) > TAGS_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"At most {TAGS_MAX} names: leave some out.", path)
    for index, tag in enumerate(tags):
        check_code(tag, (*path, str(index)))


def check_cost(amount: Decimal | None, currency: str | None, path: tuple[str, ...]) -> None:
    """Refuse what nothing costs: less than nothing, ten thousand million or more, parts of a hundredth of a cent."""
    if currency is not None and CURRENCY.fullmatch(currency) is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "A currency is an ISO 4217 code such as EUR.", (*path, "currency"))
    if amount is not None and not (amount.is_finite() and 0 <= amount < COST_LIMIT and amount == round(amount, 4)):
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"An amount is zero or more, below {COST_LIMIT}, with at most 4 decimal places.",
            (*path, "amount"),
        )


async def save_skus(database: Database, lines: Sequence[SkuLine], call: IdempotentCall | None) -> list[dict[str, Any]]:
    """`upsert_skus` in a transaction of its own, once per key; rows as plain JSON."""

    async def decide(connection: Any) -> Answer:
        return {"skus": [_plain(row) for row in await upsert_skus(connection, lines)]}

    saved: list[dict[str, Any]] = (await run_once(database, call, decide))["skus"]
    return saved


def _plain(row: Any) -> dict[str, Any]:
    cost = row["unit_cost"]
    return {**dict(row), "unit_cost": None if cost is None else str(cost)}
