"""Delete deliveries and notices that nobody will ask for."""

from __future__ import annotations

from app.state import State

ROWS_MAX = 1_000
_DELIVERIES = """
DELETE FROM alert_deliveries WHERE id IN (
  SELECT id FROM alert_deliveries
  WHERE state <> 'PENDING' AND created_at < now() - make_interval(secs => $1) ORDER BY id LIMIT $2)
"""
_NOTICES = """
DELETE FROM alert_notices WHERE (rule_id, case_id) IN (
  SELECT rule_id, case_id FROM alert_notices
  WHERE state = 'RESOLVED' AND noticed_at < now() - make_interval(secs => $1) LIMIT $2)
"""


async def forget_alerts(state: State) -> int:
    """Delete a bounded number past their age; returns how many. A resolved case is never told again."""
    deleted = 0
    for statement in (_DELIVERIES, _NOTICES):
        status = await state.database.hot.execute(statement, state.settings.alerts_retention_seconds, ROWS_MAX)
        deleted += int(status.rsplit(" ", 1)[-1])
    return deleted
