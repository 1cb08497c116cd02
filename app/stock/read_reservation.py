"""Reading one reservation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from app.stock.end_reservation import LINES
from app.stock.reserve_stock import reservation_answer
from domain.identity import Principal


async def read_reservation(database: Database, principal: Principal, key: UUID) -> dict[str, Any] | None:
    """None when there is none, or when a line of it is in a warehouse the principal may not see."""
    row = await database.hot.fetchrow(
        "SELECT id, status, reference, expires_at, created_at FROM reservations WHERE id = $1", key
    )
    if row is None:
        return None
    lines = await database.hot.fetch(LINES, [row[0]])
    if not all(principal.sees_warehouse(line[2]) for line in lines):
        return None
    return reservation_answer(row[0], row[1], row[2], row[3], row[4], [line[1:] for line in lines])
