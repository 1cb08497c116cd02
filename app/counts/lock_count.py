"""Take a count under lock, as everything that changes it does first, before any stock row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.counts.read_counts import count_not_found
from domain.counts import CountAction, CountStatus, check_count_action
from domain.identity import Principal

_LOCK = "SELECT * FROM counts WHERE id = $1 FOR UPDATE"
_LINES = """
SELECT l.*, b.code AS bin, s.code AS sku FROM count_lines l JOIN skus s ON s.id = l.sku_id
LEFT JOIN bins b ON b.id = l.bin_id WHERE l.count_id = $1 ORDER BY l.line
"""
_CHANGE = """
UPDATE counts SET status = $2, version = version + 1, reviewed_by = coalesce($3, reviewed_by),
  ended_at = CASE WHEN $2 IN ('POSTED', 'CANCELLED') THEN clock_timestamp() END
WHERE id = $1
"""


async def lock_count(connection: Any, principal: Principal, count_id: UUID, action: CountAction) -> Any:
    """Its row. Raises `Refusal` COUNT_NOT_FOUND, WRONG_STATE."""
    count = await connection.fetchrow(_LOCK, count_id)
    if count is None or not principal.sees_warehouse(count["warehouse_id"]):
        raise count_not_found()
    check_count_action(CountStatus(count["status"]), action)
    return count


async def read_lines(connection: Any, count_id: UUID) -> list[Any]:
    rows: list[Any] = await connection.fetch(_LINES, count_id)
    return rows


async def change_count(connection: Any, count_id: UUID, status: CountStatus, reviewer: str | None = None) -> None:
    await connection.execute(_CHANGE, count_id, status.value, reviewer)
