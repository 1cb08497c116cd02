"""Reading what waits, or waited, for a second person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from app.conditions import Conditions
from app.floor.columns import load_row, sku_json, warehouse_json
from app.floor.watch_floor import FloorWatch
from domain.identity import Principal

_FROM = "FROM adjustments a JOIN warehouses w ON w.id = a.warehouse_id"
ADJUSTMENTS = f"""
SELECT a.id, a.number, a.kind, a.state, a.warehouse_id, a.damage_id, a.disposal, a.units, a.value::text AS value,
  a.reason, a.note, a.reference, a.requested_by, a.requested_name, a.requested_at, a.effective_at, a.decided_by,
  a.decided_name, a.decided_at, a.decision_note, {warehouse_json("w")}::text AS warehouse,
  (SELECT json_agg(json_build_object('sku', {sku_json("s")}, 'source', m.source, 'target', m.target,
                                     'quantity', m.quantity) ORDER BY m.place)
   FROM ROWS FROM (json_to_recordset(a.lines) AS (sku_id int, source text, target text, quantity int))
     WITH ORDINALITY AS m (sku_id, source, target, quantity, place)
   JOIN skus s ON s.id = m.sku_id)::text AS moves
{_FROM}
"""  # noqa: S608
_COUNT = f"SELECT count(*) {_FROM}"


@dataclass(frozen=True, slots=True)
class AdjustmentFilter:
    """None leaves a filter out."""

    states: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None


def load_adjustment(record: Any) -> dict[str, Any]:
    return load_row(record, "warehouse", "moves")


async def answer_adjustment(connection: Any, adjustment_id: UUID) -> dict[str, Any]:
    """As it is now, as an answer that can be kept."""
    return load_adjustment(await connection.fetchrow(f"{ADJUSTMENTS} WHERE a.id = $1", adjustment_id))


async def read_adjustments(
    database: Database, principal: Principal, chosen: AdjustmentFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first, before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("a.id < {}::uuid", before)
    query = f"{ADJUSTMENTS} {found.where} ORDER BY a.id DESC LIMIT {found.place(limit)}"
    return [load_adjustment(row) for row in await database.hot.fetch(query, *found.values)]


async def count_adjustments(database: Database, principal: Principal, chosen: AdjustmentFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_adjustment(database: Database, principal: Principal, adjustment_id: UUID) -> dict[str, Any] | None:
    """None when there is none that the principal may see."""
    record = await database.hot.fetchrow(f"{ADJUSTMENTS} WHERE a.id = $1", adjustment_id)
    return load_adjustment(record) if record and principal.sees_warehouse(record["warehouse_id"]) else None


async def read_adjustments_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them."""
    return [
        load_adjustment(r) for r in await connection.fetch(f"{ADJUSTMENTS} WHERE a.id = ANY($1::uuid[])", list(ids))
    ]


async def read_pending_adjustments(
    connection: Any, watch: FloorWatch, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Those that nobody has decided, oldest first, after an id."""
    found = Conditions()
    found.add("a.state = 'PENDING'")
    if watch.warehouse_ids is not None:
        found.add("a.warehouse_id = ANY({}::int[])", sorted(watch.warehouse_ids))
    if after is not None:
        found.add("a.id > {}::uuid", after)
    query = f"{ADJUSTMENTS} {found.where} ORDER BY a.id LIMIT {found.place(limit)}"
    return [load_adjustment(row) for row in await connection.fetch(query, *found.values)]


def _choose(principal: Principal, chosen: AdjustmentFilter) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("a.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    for column, values in (("a.state", chosen.states), ("a.kind", chosen.kinds), ("w.code", chosen.warehouses)):
        if values is not None:
            found.add(f"{column} = ANY({{}}::text[])", list(values))
    return found
