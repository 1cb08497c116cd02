"""Reading orders: each page is one statement, lines and allocations included.

A token that is limited to warehouses sees an order when some of its work is theirs, and then as if there were nothing
else of it: its lines, units and status are those of that work.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from app.conditions import Conditions
from domain.identity import Principal

TIMELINE_MAX = 200
EXCHANGES_MAX = 1_000
_HEAD = """
SELECT o.id, c.code AS channel, o.channel_id, o.external_id, o.name, {status} AS status, o.payment, o.hold_reason,
  o.cancel_requested_at, o.placed_at, o.ship_by, o.deliver_by, o.destination::text AS destination, o.version,
  o.updated_at, o.exchange_of, ct.erased_at AS contact_erased_at,
  {own} AS own, {total} AS total, o.currency, {problem} AS problem, ({lines})::text AS lines,
  ({notice})::text AS cancellation
"""
_FROM = """
FROM orders o JOIN channels c ON c.id = o.channel_id LEFT JOIN order_contacts ct ON ct.order_id = o.id
"""
_NOTICE = """
SELECT json_build_object('state', n.state, 'reason', n.reason, 'asked_at', n.asked_at, 'told_at', n.told_at,
  'acknowledged_at', n.acknowledged_at, 'attempts', n.attempts, 'error', n.error)
FROM cancel_notices n WHERE n.order_id = o.id
"""
_LINES = """
SELECT coalesce(json_agg(json_build_object(
  'external_id', l.external_id, 'sku_code', l.sku_code, 'title', l.title, 'quantity', l.quantity,
  'allocated', l.allocated, 'shipped', l.shipped, 'cancelled', l.cancelled, 'unit_price', l.unit_price::text,
  'shipped_elsewhere', l.shipped_elsewhere, 'exchange_return_id', l.exchange_return_id,
  'allocations', (
    SELECT coalesce(json_agg(json_build_object('id', f.id, 'warehouse', w.code, 'status', f.status,
      'quantity', a.quantity - a.cancelled - a.short, 'shipped', a.shipped) ORDER BY w.code, f.id), '[]')
    FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
    JOIN fulfillment_order_lines a ON a.fulfillment_order_id = f.id
    WHERE f.order_id = o.id AND a.line = l.line AND a.quantity > a.cancelled + a.short)) ORDER BY l.line), '[]')
FROM order_lines l WHERE l.order_id = o.id
"""
_OWN_LINES = """
SELECT coalesce(json_agg(json_build_object(
  'external_id', l.external_id, 'sku_code', l.sku_code, 'title', l.title, 'quantity', g.quantity,
  'allocated', g.quantity - g.shipped - g.cancelled, 'shipped', g.shipped, 'cancelled', g.cancelled,
  'unit_price', NULL, 'exchange_return_id', l.exchange_return_id, 'allocations', g.allocations) ORDER BY l.line), '[]')
FROM order_lines l JOIN (
  SELECT a.line, sum(a.quantity) AS quantity, sum(a.shipped) AS shipped, sum(a.cancelled + a.short) AS cancelled,
    json_agg(json_build_object('id', f.id, 'warehouse', w.code, 'status', f.status,
      'quantity', a.quantity - a.cancelled - a.short, 'shipped', a.shipped) ORDER BY w.code, f.id) AS allocations
  FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
  JOIN fulfillment_order_lines a ON a.fulfillment_order_id = f.id
  WHERE f.order_id = o.id AND f.warehouse_id = ANY({houses}::int[]) GROUP BY a.line
) g ON g.line = l.line WHERE l.order_id = o.id
"""
_OWN_STATUS = """
(SELECT CASE WHEN sum(a.shipped) > 0 AND sum(a.quantity - a.shipped - a.cancelled - a.short) = 0 THEN 'SHIPPED'
    WHEN sum(a.shipped) > 0 THEN 'PARTLY_SHIPPED'
    WHEN sum(a.quantity - a.cancelled - a.short) = 0 THEN 'CANCELLED' ELSE 'ALLOCATED' END
  FROM fulfillment_orders f JOIN fulfillment_order_lines a ON a.fulfillment_order_id = f.id
  WHERE f.order_id = o.id AND f.warehouse_id = ANY({houses}::int[]))
"""
_TIMELINES = """
SELECT e.* FROM unnest($1::uuid[]) AS g (id) CROSS JOIN LATERAL (
  SELECT order_id, id, at, actor, action, note, data::text AS data FROM order_events
  WHERE order_id = g.id ORDER BY id DESC LIMIT $2
) e ORDER BY e.order_id, e.id
"""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """None leaves a filter out. `search`: how a name begins, or a whole external id. Codes of channels, warehouses."""

    statuses: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    placed_from: datetime.datetime | None = None
    placed_to: datetime.datetime | None = None
    search: str | None = None
    held: bool | None = None


@dataclass(slots=True)
class _Question:
    """A statement under construction: what is selected depends on who asks."""

    found: Conditions
    status: str
    own: bool
    lines: str
    theirs: str = ""

    def select(self) -> str:
        shown = {"own": "true", "total": "NULL::numeric", "problem": "NULL::text", "notice": "NULL"}
        if not self.own:
            shown = {"own": "false", "total": "o.total", "problem": "o.problem", "notice": _NOTICE}
        return _HEAD.format(status=self.status, lines=self.lines, **shown) + _FROM


def _ask(principal: Principal) -> _Question:
    found = Conditions()
    if principal.channel_ids is not None:
        found.add("o.channel_id = ANY({}::int[])", sorted(principal.channel_ids))
    if principal.warehouse_ids is None:
        return _Question(found, "o.status", False, _LINES)
    houses = found.place(sorted(principal.warehouse_ids))
    theirs = f" AND f.warehouse_id = ANY({houses}::int[])"
    found.add(f"EXISTS (SELECT FROM fulfillment_orders f WHERE f.order_id = o.id{theirs})")
    return _Question(found, _OWN_STATUS.format(houses=houses), True, _OWN_LINES.format(houses=houses), theirs)


def _row(record: Any) -> dict[str, Any]:
    goal = orjson.loads(record["destination"] or "{}") or {}
    notice = orjson.loads(record["cancellation"] or "null")
    return {
        **dict(record),
        "lines": orjson.loads(record["lines"]),
        "destination": goal,
        "cancellation": notice,
    }


async def read_order(
    connection: Any, principal: Principal, key: UUID | None, channel: str | None = None, external_id: str | None = None
) -> dict[str, Any] | None:
    """One order; None when nothing or too little is given, or when it is not the principal's to see."""
    if key is None and (channel is None or external_id is None):
        return None
    question = _ask(principal)
    if key is not None:
        question.found.add("o.id = {}::uuid", key)
    if channel is not None:
        question.found.add("c.code = {}", channel)
    if external_id is not None:
        question.found.add("o.external_id = {}", external_id)
    record = await connection.fetchrow(f"{question.select()} {question.found.where}", *question.found.values)
    return None if record is None else _row(record)


async def read_orders(
    database: Database, principal: Principal, chosen: OrderFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    question = _ask(principal)
    _choose(question, chosen)
    if before is not None:
        question.found.add("o.id < {}::uuid", before)
    query = f"{question.select()} {question.found.where} ORDER BY o.id DESC LIMIT {question.found.place(limit)}"
    return [_row(record) for record in await database.hot.fetch(query, *question.found.values)]


async def count_orders(database: Database, principal: Principal, chosen: OrderFilter) -> int:
    question = _ask(principal)
    _choose(question, chosen)
    query = f"SELECT count(*) {_FROM} {question.found.where}"
    return int(await database.hot.fetchval(query, *question.found.values))


def _choose(question: _Question, chosen: OrderFilter) -> None:
    found = question.found
    if chosen.statuses is not None:
        found.add(f"{question.status} = ANY({{}}::text[])", list(chosen.statuses))
    if chosen.channels is not None:
        found.add("c.code = ANY({}::text[])", list(chosen.channels))
    if chosen.warehouses is not None:
        # A warehouse that is not theirs says nothing of the order, not even that it has work of it.
        codes = found.place(list(chosen.warehouses))
        found.add(
            "EXISTS (SELECT FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id"
            f" WHERE f.order_id = o.id AND w.code = ANY({codes}::text[]){question.theirs})"
        )
    if chosen.placed_from is not None:
        found.add("o.placed_at >= {}", chosen.placed_from)
    if chosen.placed_to is not None:
        found.add("o.placed_at < {}", chosen.placed_to)
    if chosen.search:
        escaped = chosen.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.add("(o.name LIKE {} OR o.external_id = {})", f"{escaped}%", chosen.search)
    if chosen.held is not None:
        found.add("(o.hold_reason IS NOT NULL) = {}::bool", chosen.held)


async def read_orders_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them, whole."""
    query = f"{_Question(Conditions(), 'o.status', False, _LINES).select()} WHERE o.id = ANY($1::uuid[])"
    return [_row(record) for record in await connection.fetch(query, list(ids))]


async def read_seen_orders(database: Database, principal: Principal, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Those of them that the principal may see, as it sees them."""
    question = _ask(principal)
    question.found.add("o.id = ANY({}::uuid[])", list(ids))
    query = f"{question.select()} {question.found.where}"
    return [_row(record) for record in await database.hot.fetch(query, *question.found.values)]


async def read_exchanges(database: Database, principal: Principal, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Orders that are sent instead of these, oldest first, as the principal sees them; at most `EXCHANGES_MAX`."""
    question = _ask(principal)
    question.found.add("o.exchange_of = ANY({}::uuid[])", list(ids))
    query = f"{question.select()} {question.found.where} ORDER BY o.id LIMIT {EXCHANGES_MAX}"
    return [_row(record) for record in await database.hot.fetch(query, *question.found.values)]


async def read_timelines(connection: Any, ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """What happened to each order, oldest first; the last `TIMELINE_MAX`."""
    found: dict[UUID, list[Any]] = {order_id: [] for order_id in ids}
    for row in await connection.fetch(_TIMELINES, list(ids), TIMELINE_MAX):
        found[row["order_id"]].append(row)
    return found
