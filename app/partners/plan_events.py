"""What a partner is to be told of its work: what it was told is compared with what is, so that nothing is forgotten.

A partner's row is locked while one worker plans for it. Nothing is planned by who changes work, so nobody can forget
to.
"""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from app.state import State

WORKS_MAX = 500
_PARTNERS = """
SELECT id, code, warehouse_id, kind, webhook FROM partners WHERE status = 'LIVE'
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
_LINES = """
SELECT coalesce(json_object_agg(l.line, l.quantity - l.shipped - l.cancelled - l.short), '{}')
FROM fulfillment_order_lines l
WHERE l.fulfillment_order_id = f.id AND l.quantity > l.shipped + l.cancelled + l.short
"""
_TAKE = f"""
WITH found AS (
  SELECT f.id FROM fulfillment_orders f
  WHERE f.warehouse_id = $2 AND f.status = 'RELEASED' AND f.hold_reason IS NULL AND f.cancel_requested_at IS NULL
    AND NOT EXISTS (SELECT FROM partner_orders o WHERE o.fulfillment_order_id = f.id)
  ORDER BY f.id LIMIT $4 FOR UPDATE OF f SKIP LOCKED
), patient AS (
  UPDATE fulfillment_orders f SET accept_by = NULL FROM found WHERE f.id = found.id AND $5
)
INSERT INTO partner_orders (fulfillment_order_id, partner_id, lines, next_attempt_at, state)
SELECT f.id, $1, ({_LINES}), $3, CASE WHEN $5 THEN 'PENDING' ELSE 'DELEGATED' END
FROM fulfillment_orders f JOIN found USING (id)
RETURNING fulfillment_order_id
"""  # noqa: S608
"""Work that a partner is sent is its own until it says something: what it was to ship is not promised elsewhere."""
_WATCHED = """
SELECT f.id, f.status, f.warehouse_id, f.hold_reason, f.cancel_requested_at, f.address_changed_at, f.version,
  f.ship_by, o.told, r.name AS reference, w.code AS warehouse, (
    SELECT count(*) FROM order_events e WHERE e.order_id = f.order_id AND e.action = 'SPLIT'
      AND e.data->>'fulfillmentOrder' = f.id::text) AS splits, (
    SELECT json_agg(json_build_object('sku', s.code, 'quantity', l.quantity, 'shipped', l.shipped,
      'cancelled', l.cancelled + l.short, 'cancelRequested', l.cancel_requested) ORDER BY l.line)::text
    FROM fulfillment_order_lines l JOIN skus s ON s.id = l.sku_id WHERE l.fulfillment_order_id = f.id) AS lines
FROM partner_orders o JOIN fulfillment_orders f ON f.id = o.fulfillment_order_id JOIN orders r ON r.id = f.order_id
JOIN warehouses w ON w.id = f.warehouse_id
WHERE o.partner_id = $1 AND o.state <> 'ENDED' AND o.told_version IS DISTINCT FROM f.version
ORDER BY f.id LIMIT $2
"""
"""What has changed since it was last looked at: however much work is open, none of it hides other work."""
_TOLD = """
UPDATE partner_orders o SET told = g.told, told_version = g.version,
  state = CASE WHEN g.ended THEN 'ENDED' ELSE o.state END
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bool[]) AS g (id, told, version, ended)
WHERE o.fulfillment_order_id = g.id
"""
_DELIVER = """
INSERT INTO partner_deliveries (id, partner_id, fulfillment_order_id, type, body, due_at)
SELECT g.id, $1, g.work, g.type, g.body, $6
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS g (id, work, type, body)
"""
ENDED = frozenset({"SHIPPED", "REJECTED", "CANCELLED"})
OPEN, SPLIT = "OPEN", " SPLIT "


@dataclass(frozen=True, slots=True)
class News:
    """`told`: the word by which it is known that this was told. `event`: its type; None: nothing is to be said."""

    told: str
    event: str | None


async def plan_events(state: State, now: datetime.datetime) -> int:
    """Take released work of partners' warehouses on, and plan what they are told; returns how many changed."""
    changed = 0
    async with state.database.hot.acquire() as connection, connection.transaction():
        for partner in await connection.fetch(_PARTNERS):
            called = partner["kind"] != "API"
            given = (partner["id"], partner["warehouse_id"], now, WORKS_MAX, called)
            changed += len(await connection.fetch(_TAKE, *given))
            if not called:
                changed += await _plan(connection, partner, now)
    return changed


async def _plan(connection: Any, partner: Any, now: datetime.datetime) -> int:
    rows = await connection.fetch(_WATCHED, partner["id"], WORKS_MAX)
    if not rows:
        return 0
    news = [(row, read_news(row, partner["warehouse_id"])) for row in rows]
    told = ([row["id"], one.told, row["version"], one.event == "ended"] for row, one in news)
    await connection.execute(_TOLD, *(list(column) for column in zip(*told, strict=True)))
    said = [(row, f"fulfillment_order.{one.event}") for row, one in news if one.told != row["told"] and one.event]
    if said and partner["webhook"] != "NONE":
        ids = [uuid7() for _ in said]
        bodies = [write_event(row, kind, now, partner["warehouse_id"]) for row, kind in said]
        columns = (ids, [row["id"] for row, _ in said], [kind for _, kind in said], bodies)
        await connection.execute(_DELIVER, partner["id"], *columns, now)
    return len(said)


def read_news(row: Any, warehouse_id: int) -> News:
    """What a fulfilment order has come to, as far as its partner must know."""
    if row["warehouse_id"] != warehouse_id:
        return News("MOVED", "ended")
    if row["status"] in ENDED:
        return News(row["status"], "ended")
    if row["cancel_requested_at"] is not None:
        return News(f"CANCEL {row['cancel_requested_at'].timestamp():.6f}", "cancel_requested")
    if row["hold_reason"] is not None:
        return News("HELD", "held")
    before, moved_at = row["told"], row["address_changed_at"]
    place = OPEN if moved_at is None else f"{OPEN} {moved_at.timestamp():.6f}"
    word = f"{place}{SPLIT}{row['splits']}" if row["splits"] else place
    if before is None:
        return News(word, "released")
    if before == word:
        return News(word, None)
    if not before.startswith(OPEN):
        return News(word, "let_go")
    return News(word, "split" if before.partition(SPLIT)[0] == place else "address_changed")


def write_event(row: Any, kind: str, now: datetime.datetime, warehouse_id: int) -> str:
    """A payload as Standard Webhooks advises. No name and no address: the partner reads those with its token."""
    here = row["warehouse_id"] == warehouse_id
    data = {
        "fulfillmentOrder": encode_node("FulfillmentOrder", row["id"]),
        "order": row["reference"],
        "warehouse": row["warehouse"] if here else None,
        "status": row["status"] if here else "MOVED",
        "version": row["version"],
        "shipBy": row["ship_by"],
        "holdReason": row["hold_reason"],
        "lines": orjson.loads(row["lines"] or "[]"),
    }
    return orjson.dumps({"type": kind, "timestamp": now, "data": data}, option=orjson.OPT_UTC_Z).decode()


def encode_node(kind: str, key: object) -> str:
    """The global id that `node` takes."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")
