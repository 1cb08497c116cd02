"""Reading returns: each page is one statement, lines, SKUs and inspections included."""

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

INSPECTIONS_MAX = 1_000
_FROM = """
FROM returns r JOIN warehouses w ON w.id = r.warehouse_id LEFT JOIN channels c ON c.id = r.channel_id
LEFT JOIN orders o ON o.id = r.order_id
"""
RETURNS = f"""
SELECT r.id, r.number, r.state, r.origin, r.custody, r.condition, r.money, r.warehouse_id, r.channel_id, r.external_id,
  r.order_id, r.order_reference, r.exchange_order_id, r.exchange_reference, r.reason, r.note,
  r.exchange_amount::text AS exchange_amount,
  r.refund_amount::text AS refund_amount, r.refund_currency, r.refund_state, r.refund_error, r.refund_external_id,
  r.channel_restocked, r.actor, r.expected_by, r.received_at,
  r.inspected_at, r.refund_due_at, r.refund_told_at, r.refund_confirmed_at, r.ended_at, r.created_at,
  c.code AS channel, o.name AS order_name, {warehouse_json("w")}::text AS warehouse,
  (SELECT coalesce(json_agg(json_build_object(
     'sku', CASE WHEN s.id IS NOT NULL THEN {sku_json("s")} END, 'description', l.description, 'finding', l.finding,
     'authorized', l.authorized, 'received', l.received, 'inspected', l.inspected) ORDER BY l.line), '[]')
   FROM return_lines l LEFT JOIN skus s ON s.id = l.sku_id WHERE l.return_id = r.id)::text AS lines,
  (SELECT coalesce(json_agg(json_build_object(
     'sku', s.code, 'quantity', i.quantity, 'disposition', i.disposition, 'grade', i.grade, 'evidence', i.evidence,
     'note', i.note, 'actor', i.actor, 'at', i.at) ORDER BY i.id), '[]')
   FROM (SELECT * FROM return_inspections WHERE return_id = r.id ORDER BY id LIMIT {INSPECTIONS_MAX}) i
   JOIN return_lines l ON l.return_id = i.return_id AND l.line = i.line JOIN skus s ON s.id = l.sku_id
  )::text AS inspections
{_FROM}
"""  # noqa: S608
_COUNT = f"SELECT count(*) {_FROM}"


@dataclass(frozen=True, slots=True)
class ReturnFilter:
    """None leaves a filter out. `order`: an order's id."""

    states: Sequence[str] | None = None
    custody: Sequence[str] | None = None
    conditions: Sequence[str] | None = None
    money: Sequence[str] | None = None
    origins: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    channel: str | None = None
    order: UUID | None = None


def load_return(record: Any) -> dict[str, Any]:
    return load_row(record, "warehouse", "lines", "inspections")


async def answer_return(connection: Any, return_id: UUID) -> dict[str, Any]:
    """As it is now, as an answer that can be kept."""
    return load_return(await connection.fetchrow(f"{RETURNS} WHERE r.id = $1", return_id))


async def read_returns(
    database: Database, principal: Principal, chosen: ReturnFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("r.id < {}::uuid", before)
    query = f"{RETURNS} {found.where} ORDER BY r.id DESC LIMIT {found.place(limit)}"
    return [load_return(row) for row in await database.hot.fetch(query, *found.values)]


async def count_returns(database: Database, principal: Principal, chosen: ReturnFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_return(database: Database, principal: Principal, return_id: UUID) -> dict[str, Any] | None:
    """None when there is none that the principal may see."""
    rows = await read_returns_by_ids(database.hot, [return_id])
    return rows[0] if rows and sees_return(principal, rows[0]) else None


async def read_returns_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them."""
    return [load_return(row) for row in await connection.fetch(f"{RETURNS} WHERE r.id = ANY($1::uuid[])", list(ids))]


async def read_open_returns(connection: Any, watch: FloorWatch, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Those that have not ended, oldest first, after an id."""
    found = Conditions()
    found.add("r.state = 'OPEN'")
    if watch.warehouse_ids is not None:
        found.add("r.warehouse_id = ANY({}::int[])", sorted(watch.warehouse_ids))
    if watch.channel_ids is not None:
        found.add("(r.channel_id IS NULL OR r.channel_id = ANY({}::int[]))", sorted(watch.channel_ids))
    if after is not None:
        found.add("r.id > {}::uuid", after)
    query = f"{RETURNS} {found.where} ORDER BY r.id LIMIT {found.place(limit)}"
    return [load_return(row) for row in await connection.fetch(query, *found.values)]


def sees_return(principal: Principal, row: Any) -> bool:
    """Its warehouse and its channel, where it has one, must be the principal's."""
    channel_id = row["channel_id"]
    return principal.sees_warehouse(row["warehouse_id"]) and (channel_id is None or principal.sees_channel(channel_id))


def _choose(principal: Principal, chosen: ReturnFilter) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("r.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    if principal.channel_ids is not None:
        found.add("(r.channel_id IS NULL OR r.channel_id = ANY({}::int[]))", sorted(principal.channel_ids))
    lists = {
        "r.state": chosen.states,
        "r.custody": chosen.custody,
        "r.condition": chosen.conditions,
        "r.money": chosen.money,
        "r.origin": chosen.origins,
        "w.code": chosen.warehouses,
    }
    for column, values in lists.items():
        if values is not None:
            found.add(f"{column} = ANY({{}}::text[])", list(values))
    if chosen.channel is not None:
        found.add("c.code = {}", chosen.channel)
    if chosen.order is not None:
        found.add("r.order_id = {}::uuid", chosen.order)
    return found
