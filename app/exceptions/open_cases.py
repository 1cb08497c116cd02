"""Open exception cases, or count one more time the ones that are open already, which may have become worse."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.exceptions import DUE, OWNERS, Problem

_RANKS = f"ARRAY[{', '.join(repr(severity.value) for severity in DUE)}]"
_WORSE = f"array_position({_RANKS}, excluded.severity) < array_position({_RANKS}, c.severity)"
_OPEN = f"""
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                       $9::int[], $10::int[], $11::text[], $12::timestamptz[])
    AS g (id, kind, severity, cause, subject, title, detail, channel_id, sku_id, warehouse_id, owner, due_at)
), upserted AS (
  INSERT INTO exception_cases AS c
    (id, kind, severity, cause, subject, title, detail, channel_id, sku_id, warehouse_id, owner, due_at)
  SELECT * FROM given ORDER BY kind, subject, cause
  ON CONFLICT (kind, subject, cause) WHERE state <> 'RESOLVED' DO UPDATE SET
    count = c.count + 1, last_seen_at = clock_timestamp(), detail = excluded.detail,
    severity = CASE WHEN {_WORSE} THEN excluded.severity ELSE c.severity END,
    title = CASE WHEN {_WORSE} THEN excluded.title ELSE c.title END,
    due_at = CASE WHEN {_WORSE} THEN least(c.due_at, excluded.due_at) ELSE c.due_at END
  RETURNING c.*, c.count = 1 AS fresh, old.severity IS DISTINCT FROM new.severity AS changed
), told AS (
  INSERT INTO feed (topic, key, sku_id, warehouse_id, channel_id, payload)
  SELECT 'exception', id::text, sku_id, warehouse_id, channel_id, to_json(upserted) FROM upserted WHERE changed
), noted AS (
  INSERT INTO exception_events (case_id, actor, action, note)
  SELECT id, 'system', CASE WHEN fresh THEN 'OPENED' ELSE 'WORSENED' END, detail FROM upserted
  WHERE changed
)
SELECT id, fresh FROM upserted
"""  # noqa: S608


async def open_cases(connection: Any, problems: Sequence[Problem]) -> list[UUID]:
    """Returns the ids of the cases that are new. Repeats are counted on the open case, and told to nobody again.

    One that is worse than the case was makes it so: its severity, its title, an earlier due time, and it is told.
    """
    unique = list({(p.kind, p.subject, p.cause): p for p in problems}.values())
    if not unique:
        return []
    now = datetime.datetime.now(datetime.UTC)
    rows = await connection.fetch(
        _OPEN,
        [uuid7() for _ in unique],
        [p.kind.value for p in unique],
        [p.severity.value for p in unique],
        [p.cause.value for p in unique],
        [p.subject for p in unique],
        [p.title for p in unique],
        [None if p.detail is None else p.detail[:2_000] for p in unique],
        [p.channel_id for p in unique],
        [p.sku_id for p in unique],
        [p.warehouse_id for p in unique],
        [OWNERS[p.kind] for p in unique],
        [now + DUE[p.severity] for p in unique],
    )
    return [row["id"] for row in rows if row["fresh"]]
