"""Reading transfers: each page is one statement, lines and SKUs included."""

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

_FROM = "FROM transfers t JOIN warehouses a ON a.id = t.source_id JOIN warehouses b ON b.id = t.destination_id"
TRANSFERS = f"""
SELECT t.id, t.number, t.state, t.source_id, t.destination_id, t.reference, t.note, t.carrier, t.tracking_number,
  t.requested_by, t.requested_name, t.approved_by, t.approved_name, t.expected_at, t.approved_at, t.shipped_at,
  t.received_at, t.ended_at, t.created_at, t.order_id,
  (SELECT coalesce(o.name, o.external_id) FROM orders o WHERE o.id = t.order_id) AS order_name,
  {warehouse_json("a")}::text AS source, {warehouse_json("b")}::text AS destination,
  (SELECT coalesce(json_agg(json_build_object(
     'sku', {sku_json("s")}, 'requested', l.requested, 'picked', l.picked, 'shipped', l.shipped,
     'received', l.received, 'damaged', l.damaged, 'missing', l.missing, 'recalled', l.recalled,
     'returned', l.returned, 'returned_damaged', l.returned_damaged, 'written_off', l.written_off)
     ORDER BY l.line), '[]')
   FROM transfer_lines l JOIN skus s ON s.id = l.sku_id WHERE l.transfer_id = t.id)::text AS lines
{_FROM}
"""  # noqa: S608
_COUNT = f"SELECT count(*) {_FROM}"


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """None leaves a filter out. `warehouses`: either end."""

    states: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    destinations: Sequence[str] | None = None
    skus: Sequence[str] | None = None
    reference: str | None = None


def load_transfer(record: Any) -> dict[str, Any]:
    return load_row(record, "source", "destination", "lines")


async def answer_transfer(connection: Any, transfer_id: UUID) -> dict[str, Any]:
    """As it is now, as an answer that can be kept."""
    return load_transfer(await connection.fetchrow(f"{TRANSFERS} WHERE t.id = $1", transfer_id))


async def read_transfers(
    database: Database, principal: Principal, chosen: TransferFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("t.id < {}::uuid", before)
    query = f"{TRANSFERS} {found.where} ORDER BY t.id DESC LIMIT {found.place(limit)}"
    return [load_transfer(row) for row in await database.hot.fetch(query, *found.values)]


async def count_transfers(database: Database, principal: Principal, chosen: TransferFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_transfer(database: Database, principal: Principal, transfer_id: UUID) -> dict[str, Any] | None:
    """None when there is none that the principal may see."""
    rows = await read_transfers_by_ids(database.hot, [transfer_id])
    return rows[0] if rows and sees_transfer(principal, rows[0]) else None


async def read_transfers_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them."""
    return [
        load_transfer(row) for row in await connection.fetch(f"{TRANSFERS} WHERE t.id = ANY($1::uuid[])", list(ids))
    ]


async def read_open_transfers(
    connection: Any, watch: FloorWatch, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Those that have not ended, oldest first, after an id."""
    found = Conditions()
    found.add("t.ended_at IS NULL")
    if watch.warehouse_ids is not None:
        houses = sorted(watch.warehouse_ids)
        found.add("(t.source_id = ANY({0}::int[]) OR t.destination_id = ANY({0}::int[]))", houses)
    if after is not None:
        found.add("t.id > {}::uuid", after)
    query = f"{TRANSFERS} {found.where} ORDER BY t.id LIMIT {found.place(limit)}"
    return [load_transfer(row) for row in await connection.fetch(query, *found.values)]


def sees_transfer(principal: Principal, row: Any) -> bool:
    """Who sees either end sees the transfer."""
    return principal.sees_warehouse(row["source_id"]) or principal.sees_warehouse(row["destination_id"])


def _choose(principal: Principal, chosen: TransferFilter) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        houses = sorted(principal.warehouse_ids)
        found.add("(t.source_id = ANY({0}::int[]) OR t.destination_id = ANY({0}::int[]))", houses)
    for column, values in (("t.state", chosen.states), ("a.code", chosen.sources), ("b.code", chosen.destinations)):
        if values is not None:
            found.add(f"{column} = ANY({{}}::text[])", list(values))
    if chosen.warehouses is not None:
        found.add("(a.code = ANY({0}::text[]) OR b.code = ANY({0}::text[]))", list(chosen.warehouses))
    if chosen.skus is not None:
        found.add(
            "EXISTS (SELECT FROM transfer_lines l JOIN skus s ON s.id = l.sku_id WHERE l.transfer_id = t.id"
            " AND (s.code = ANY({0}::text[]) OR s.barcode = ANY({0}::text[])))",
            list(chosen.skus),
        )
    if chosen.reference is not None:
        found.add("t.reference = {}", chosen.reference)
    return found
