"""Decide who must be told of what: of each open case that matches a rule, again while it stays open, and of its end.

Level-triggered: what was told is compared with what is, so that a worker that dies forgets nothing and tells nothing
twice. A rule is locked while one worker plans for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.state import State

CASES_MAX = 1_000
CRITICAL_SECONDS = 2.0
"""The longest that a critical case waits for others to be told of with it, whatever its rule says."""
_RULES = """
SELECT id, kinds, severities, channel_ids, group_seconds, repeat_seconds FROM alert_rules
WHERE enabled ORDER BY id FOR UPDATE SKIP LOCKED
"""
_MATCHES = """
x.kind = ANY(coalesce(r.kinds, ARRAY[x.kind])) AND x.severity = ANY(coalesce(r.severities, ARRAY[x.severity]))
AND (r.channel_ids IS NULL OR x.channel_id = ANY(r.channel_ids))
"""
_DUE = f"""
WITH r AS (SELECT * FROM alert_rules WHERE id = ANY($1::int[]))
SELECT r.id AS rule_id, x.id AS case_id, x.state, x.severity
FROM r JOIN exception_cases x ON x.state = 'OPEN' AND {_MATCHES}
WHERE NOT EXISTS (SELECT FROM alert_notices n WHERE n.rule_id = r.id AND n.case_id = x.id)
UNION ALL
SELECT r.id, x.id, x.state, x.severity
FROM r JOIN alert_notices n ON n.rule_id = r.id AND n.state <> 'RESOLVED' JOIN exception_cases x ON x.id = n.case_id
WHERE x.state = 'RESOLVED' OR x.state = 'OPEN' AND EXISTS (
    SELECT FROM alert_notices o JOIN exception_cases y ON y.id = o.case_id AND y.state = 'OPEN'
    WHERE o.rule_id = r.id AND o.state <> 'RESOLVED' AND o.noticed_at < now() - make_interval(secs => r.repeat_seconds)
  ) AND n.noticed_at < now() - make_interval(secs => r.repeat_seconds / 2.0)
LIMIT $2
"""  # noqa: S608
"""Repeats are gathered: when one is due, those that soon would be come along."""
_NOTICE = """
INSERT INTO alert_notices (rule_id, case_id, state, noticed_at)
SELECT rule_id, case_id, state, clock_timestamp() FROM unnest($1::int[], $2::uuid[], $3::text[])
  AS g (rule_id, case_id, state)
ON CONFLICT (rule_id, case_id) DO UPDATE SET state = excluded.state, noticed_at = excluded.noticed_at
"""
_JOIN = """
UPDATE alert_deliveries SET case_ids = ARRAY(SELECT DISTINCT unnest(case_ids || $2::uuid[])),
  due_at = least(due_at, clock_timestamp() + make_interval(secs => $3))
WHERE id = (
  SELECT id FROM alert_deliveries
  WHERE rule_id = $1 AND state = 'PENDING' AND attempts = 0 AND due_at > clock_timestamp() ORDER BY id LIMIT 1
  FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_DELIVER = """
INSERT INTO alert_deliveries (id, rule_id, case_ids, due_at)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
"""


async def plan_alerts(state: State) -> int:
    """Plan deliveries; returns how many cases are to be told, at most `CASES_MAX` at once."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        rules = {row["id"]: row for row in await connection.fetch(_RULES)}
        due = await connection.fetch(_DUE, list(rules), CASES_MAX) if rules else []
        if not due:
            return 0
        columns = ([row[name] for row in due] for name in ("rule_id", "case_id", "state"))
        await connection.execute(_NOTICE, *columns)
        by_rule: dict[int, list[Any]] = defaultdict(list)
        for row in due:
            by_rule[row["rule_id"]].append(row)
        for rule_id, rows in sorted(by_rule.items()):
            await _deliver(connection, rules[rule_id], rows)
    return len(due)


async def _deliver(connection: Any, rule: Any, cases: Sequence[Any]) -> None:
    """Join the delivery that waits for its window to close, or begin one. What is critical closes it early."""
    case_ids: list[UUID] = [row["case_id"] for row in cases]
    wait = float(rule["group_seconds"])
    if any((row["severity"], row["state"]) == ("CRITICAL", "OPEN") for row in cases):
        wait = min(wait, CRITICAL_SECONDS)
    if await connection.fetchval(_JOIN, rule["id"], case_ids, wait) is None:
        await connection.execute(_DELIVER, uuid7(), rule["id"], case_ids, wait)
