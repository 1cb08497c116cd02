"""Delete what partners were told, and what they said they hold, when nobody will ask for it any more."""

from __future__ import annotations

from app.state import State

ROWS_MAX = 1_000
EVENT_DAYS, SNAPSHOT_DAYS = 30, 90
_EVENTS = """
DELETE FROM partner_deliveries WHERE id IN (
  SELECT id FROM partner_deliveries WHERE state <> 'PENDING' AND created_at < now() - make_interval(days => $1)
  ORDER BY id LIMIT $2)
"""
_LINES = """
DELETE FROM partner_snapshot_lines WHERE (snapshot_id, sku_id) IN (
  SELECT l.snapshot_id, l.sku_id FROM partner_snapshot_lines l JOIN partner_snapshots p ON p.id = l.snapshot_id
  WHERE p.created_at < now() - make_interval(days => $1) LIMIT $2)
"""
"""That there was a snapshot, and how it was judged as a whole, stays."""


async def forget_partner_rows(state: State) -> int:
    """Delete a bounded number past their age; returns how many."""
    deleted = 0
    for statement, days in ((_EVENTS, EVENT_DAYS), (_LINES, SNAPSHOT_DAYS)):
        status = await state.database.hot.execute(statement, days, ROWS_MAX)
        deleted += int(status.rsplit(" ", 1)[-1])
    return deleted
