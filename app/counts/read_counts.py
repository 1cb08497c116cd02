"""Reading counts: each page is one statement, lines included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.conditions import Conditions
from app.floor.watch_floor import FloorWatch
from app.stock.read_stock import visible
from domain.counts import OPEN_STATES
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

COUNTS = """
SELECT c.id, w.code AS warehouse, c.warehouse_id, c.status, c.planned_for, c.blind, c.tolerance_units,
  c.tolerance_percent, c.note, c.reference, c.created_by, c.created_at, c.reviewed_by, c.ended_at, c.version,
  (SELECT coalesce(json_agg(json_build_object(
     'line', l.line, 'sku', s.code, 'title', s.title, 'barcode', s.barcode, 'bin', b.code, 'bucket', l.bucket,
     'cause', l.cause, 'abc', l.abc, 'status', l.status, 'expected', l.expected, 'counted', l.counted,
     'scans', l.scans, 'ledger_version', l.ledger_version, 'scanned_at', l.scanned_at, 'posted', l.posted,
     'unposted', l.unposted) ORDER BY b.sequence, b.code, l.line), '[]')
   FROM count_lines l JOIN skus s ON s.id = l.sku_id LEFT JOIN bins b ON b.id = l.bin_id
   WHERE l.count_id = c.id)::text AS lines
FROM counts c JOIN warehouses w ON w.id = c.warehouse_id
"""
"""Lines in the order in which a walk through the bins comes to them."""
UNSEEN = frozenset({"PLANNED", "COUNTING"})
"""Of a blind count nobody is shown what is expected while it is in one of these states."""


@dataclass(frozen=True, slots=True)
class CountFilter:
    warehouses: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    sku: str | None = None


def count_not_found() -> Refusal:
    return Refusal(RefusalCode.COUNT_NOT_FOUND, "There is no such count.", ("id",))


def shape_count(record: Any) -> dict[str, Any]:
    """A count as plain JSON."""
    count = {**dict(record), "lines": orjson.loads(record["lines"])}
    hidden = count["blind"] and count["status"] in UNSEEN
    for line in count["lines"]:
        known = line["expected"] is not None and not hidden
        line["variance"] = line["counted"] - line["expected"] if known else None
        line["expected"] = line["expected"] if known else None
    for name in ("planned_for", "created_at", "ended_at"):
        count[name] = None if count[name] is None else count[name].isoformat()
    return count | {"id": str(count["id"])}


async def answer_count(connection: Any, count_id: UUID) -> dict[str, Any]:
    """What a mutation answers: the count as it is in this transaction."""
    return {"count": shape_count(await connection.fetchrow(f"{COUNTS} WHERE c.id = $1", count_id))}


def _choose(principal: Principal, chosen: CountFilter) -> Conditions:
    found = Conditions()
    houses = visible(principal)
    if houses is not None:
        found.add("c.warehouse_id = ANY({}::int[])", houses)
    if chosen.warehouses is not None:
        found.add("w.code = ANY({}::text[])", list(chosen.warehouses))
    if chosen.statuses is not None:
        found.add("c.status = ANY({}::text[])", list(chosen.statuses))
    if chosen.sku is not None:
        found.add(
            "EXISTS (SELECT FROM count_lines l JOIN skus s ON s.id = l.sku_id WHERE l.count_id = c.id"
            " AND (s.code = {} OR s.barcode = {}))",
            chosen.sku,
            chosen.sku,
        )
    return found


async def read_counts(
    database: Any, principal: Principal, chosen: CountFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("c.id < {}::uuid", before)
    query = f"{COUNTS} {found.where} ORDER BY c.id DESC LIMIT {limit}"
    return [shape_count(record) for record in await database.fetch(query, *found.values)]


async def read_counts_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them."""
    return [shape_count(r) for r in await connection.fetch(f"{COUNTS} WHERE c.id = ANY($1::uuid[])", list(ids))]


async def read_open_counts(connection: Any, watch: FloorWatch, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Those that are not ended, oldest first, after an id."""
    found = Conditions()
    found.add("c.status = ANY({}::text[])", sorted(OPEN_STATES))
    if watch.warehouse_ids is not None:
        found.add("c.warehouse_id = ANY({}::int[])", sorted(watch.warehouse_ids))
    if after is not None:
        found.add("c.id > {}::uuid", after)
    query = f"{COUNTS} {found.where} ORDER BY c.id LIMIT {found.place(limit)}"
    return [shape_count(record) for record in await connection.fetch(query, *found.values)]


async def count_counts(database: Any, principal: Principal, chosen: CountFilter) -> int:
    found = _choose(principal, chosen)
    query = f"SELECT count(*) FROM counts c JOIN warehouses w ON w.id = c.warehouse_id {found.where}"  # noqa: S608
    return int(await database.fetchval(query, *found.values))


async def read_count(database: Any, principal: Principal, count_id: UUID) -> dict[str, Any] | None:
    """One count; None when it is not the principal's to see."""
    record = await database.fetchrow(f"{COUNTS} WHERE c.id = $1", count_id)
    if record is None or not principal.sees_warehouse(record["warehouse_id"]):
        return None
    return shape_count(record)
