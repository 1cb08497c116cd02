"""Resolve cases by themselves, with the observation that showed their subject healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

_RESOLVE = """
WITH healthy AS (SELECT * FROM unnest($1::text[], $2::text[]) AS h (subject, proof)),
held AS MATERIALIZED (
  SELECT c.id FROM exception_cases c JOIN healthy USING (subject)
  WHERE c.state <> 'RESOLVED' AND c.kind = ANY($3::text[])
    AND ($4::float8 IS NULL OR c.last_seen_at < clock_timestamp() - make_interval(secs => $4))
    AND c.cause <> ALL($5::text[])
  ORDER BY c.id FOR UPDATE OF c
), resolved AS (
  UPDATE exception_cases c SET state = 'RESOLVED', resolved_at = clock_timestamp(), resolution = 'AUTO',
    proof = h.proof::json
  FROM healthy h, held WHERE c.id = held.id AND h.subject = c.subject
  RETURNING c.*
), told AS (
  INSERT INTO feed (topic, key, sku_id, warehouse_id, channel_id, payload)
  SELECT 'exception', id::text, sku_id, warehouse_id, channel_id, to_json(resolved) FROM resolved
), noted AS (
  INSERT INTO exception_events (case_id, actor, action, data) SELECT id, 'system', 'RESOLVED', proof FROM resolved
)
SELECT id FROM resolved
"""


async def resolve_cases(
    connection: Any,
    kinds: Sequence[str],
    proofs: Mapping[str, Any],
    took_seconds: float | None = None,
    *,
    but_causes: Sequence[str] = (),
) -> int:
    """Resolve the open cases of these kinds whose subject is healthy; `proofs`: what was seen, by subject.

    `took_seconds`: how long looking took. What went wrong meanwhile is not disproved by it.
    `but_causes`: of cases that stay open.
    """
    if not proofs:
        return 0
    told = [orjson.dumps(proof).decode() for proof in proofs.values()]
    rows = await connection.fetch(_RESOLVE, list(proofs), told, list(kinds), took_seconds, list(but_causes))
    return len(rows)
