"""Reading what is damaged, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from app.conditions import Conditions
from app.floor.columns import load_row, sku_json, warehouse_json
from domain.identity import Principal

_FROM = "FROM damages d JOIN warehouses w ON w.id = d.warehouse_id JOIN skus s ON s.id = d.sku_id"
DAMAGES = f"""
SELECT d.id, d.number, d.warehouse_id, d.origin, d.cause, d.evidence, d.note, d.reference, d.document, d.quantity,
  d.repaired, d.scrapped, d.sent_back, d.waiting, d.actor, d.reported_at,
  {warehouse_json("w")}::text AS warehouse, {sku_json("s")}::text AS sku
{_FROM}
"""
_COUNT = f"SELECT count(*) {_FROM}"


@dataclass(frozen=True, slots=True)
class DamageFilter:
    """None leaves a filter out. `open`: of which units are left to be disposed of."""

    warehouses: Sequence[str] | None = None
    skus: Sequence[str] | None = None
    origins: Sequence[str] | None = None
    open: bool = False


def load_damage(record: Any) -> dict[str, Any]:
    return load_row(record, "warehouse", "sku")


async def answer_damages(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """In the order of their ids, whoever may see them."""
    rows = await connection.fetch(f"{DAMAGES} WHERE d.id = ANY($1::uuid[]) ORDER BY d.id", list(ids))
    return [load_damage(row) for row in rows]


async def read_damages(
    database: Database, principal: Principal, chosen: DamageFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first, before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("d.id < {}::uuid", before)
    query = f"{DAMAGES} {found.where} ORDER BY d.id DESC LIMIT {found.place(limit)}"
    return [load_damage(row) for row in await database.hot.fetch(query, *found.values)]


async def count_damages(database: Database, principal: Principal, chosen: DamageFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_damage(database: Database, principal: Principal, damage_id: UUID) -> dict[str, Any] | None:
    """None when there is none that the principal may see."""
    rows = await answer_damages(database.hot, [damage_id])
    return rows[0] if rows and principal.sees_warehouse(rows[0]["warehouse_id"]) else None


def _choose(principal: Principal, chosen: DamageFilter) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("d.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    for column, values in (("w.code", chosen.warehouses), ("d.origin", chosen.origins)):
        if values is not None:
            found.add(f"{column} = ANY({{}}::text[])", list(values))
    if chosen.skus is not None:
        found.add("(s.code = ANY({0}::text[]) OR s.barcode = ANY({0}::text[]))", list(chosen.skus))
    if chosen.open:
        found.add("d.quantity > d.repaired + d.scrapped + d.sent_back")
    return found
