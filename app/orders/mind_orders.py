"""Mind orders on record: relink what has a SKU by now, tell of what waits untold and of promises at risk, end the
cases of what is well again.

Run by a worker, each part in a bounded batch. Whoever filled or shipped an order need not know of its cases.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.orders.change_order import by_name, too_late
from app.orders.lock_order import lock_order
from app.orders.mind_payments import mind_payments
from app.orders.move_promise import prove_promise
from app.orders.take_order import tell_problem
from app.orders.write_state import OrderEvent, note_events
from app.routing.allocate_order import allocate_order
from app.state import State
from app.transact import rerun
from domain.errors import CauseClass
from domain.exceptions import UNITS_MISSING, CaseKind, Problem, Severity

BATCH = 200
SYSTEM = "system"
_UNLINKED = """
SELECT l.order_id, l.line, s.id FROM order_lines l JOIN orders o ON o.id = l.order_id
JOIN LATERAL (
  SELECT min(sku_id) AS id, 0 AS rank FROM listings
  WHERE channel_id = o.channel_id AND external_id = l.sku_code HAVING count(DISTINCT sku_id) = 1
  UNION ALL
  SELECT id, CASE WHEN code = l.sku_code THEN 1 ELSE 2 END FROM skus WHERE code = l.sku_code OR barcode = l.sku_code
  ORDER BY rank LIMIT 1
) s ON true
WHERE l.sku_id IS NULL AND l.quantity > l.allocated + l.shipped + l.cancelled ORDER BY l.order_id, l.line LIMIT $1
"""
_LINK = """
UPDATE order_lines SET sku_id = $3 WHERE order_id = $1 AND line = $2 AND sku_id IS NULL RETURNING external_id
"""
_UNTOLD = """
SELECT o.id FROM orders o WHERE o.problem IS NOT NULL AND o.status NOT IN ('SHIPPED', 'CANCELLED')
  AND o.reroute_at IS NULL AND o.updated_at < now() - make_interval(secs => $2)
  AND o.id IN (SELECT order_id FROM order_lines WHERE quantity > allocated + shipped + cancelled)
  AND NOT EXISTS (SELECT FROM exception_cases c WHERE c.subject = 'order:' || o.id AND c.kind = ANY($3::text[]))
ORDER BY o.id LIMIT $1
"""
UNTOLD_SECONDS = 10.0
"""Whoever places an order tells of what it lacks a moment later, unless it is killed in between."""
_AT_RISK = """
SELECT o.id, o.channel_id, coalesce(o.name, o.external_id) AS label, least(o.ship_by, o.deliver_by) AS due,
  o.ship_by IS NOT NULL AND o.ship_by = least(o.ship_by, o.deliver_by) AS ships, o.status FROM orders o
WHERE o.status NOT IN ('SHIPPED', 'CANCELLED')
  AND least(o.ship_by, o.deliver_by) < now() + make_interval(secs => $2)
  AND NOT EXISTS (SELECT FROM exception_cases c WHERE c.subject = 'order:' || o.id AND c.kind = 'PROMISE_AT_RISK'
                  AND c.state <> 'RESOLVED'
                  AND (c.severity = 'CRITICAL' OR least(o.ship_by, o.deliver_by) >= now()))
ORDER BY least(o.ship_by, o.deliver_by) LIMIT $1
"""
"""A case that was opened before the promise was broken becomes worse then, once."""
_SHIPPED_ANYWAY = """
SELECT DISTINCT order_id FROM fulfillment_orders
WHERE cancel_requested_at IS NOT NULL AND status = 'SHIPPED' ORDER BY order_id LIMIT $1
"""
_TELL_SHIPPED = """
WITH told AS (
  UPDATE fulfillment_orders SET cancel_requested_at = NULL
  WHERE order_id = $1 AND cancel_requested_at IS NOT NULL AND status = 'SHIPPED' RETURNING id
)
SELECT l.line, sum(l.cancel_requested) FROM told t JOIN fulfillment_order_lines l ON l.fulfillment_order_id = t.id
WHERE l.cancel_requested > 0 GROUP BY l.line
"""
_WELL = """
SELECT c.kind, c.subject, o.status, o.ship_by, o.deliver_by
FROM exception_cases c JOIN orders o ON o.id = substr(c.subject, 7)::uuid
WHERE c.state <> 'RESOLVED' AND c.subject LIKE 'order:%' AND (
  c.kind = 'OVERSELL' AND NOT EXISTS (
    SELECT FROM order_lines l WHERE l.order_id = o.id AND l.sku_id IS NOT NULL
      AND l.quantity > l.allocated + l.shipped + l.cancelled)
  OR c.kind = 'ORDER_PROBLEM' AND NOT EXISTS (
    SELECT FROM order_lines l WHERE l.order_id = o.id AND l.sku_id IS NULL
      AND l.quantity > l.allocated + l.shipped + l.cancelled)
  OR c.kind = 'PROMISE_AT_RISK' AND (o.status IN ('SHIPPED', 'CANCELLED')
    OR coalesce(least(o.ship_by, o.deliver_by), 'infinity') >= now() + make_interval(secs => $2)))
ORDER BY c.id LIMIT $1
"""


async def mind_orders(state: State) -> int:
    """How many orders something was done for. A part that fails keeps no other from its turn; then it is raised."""
    done, failed = 0, list[Exception]()
    for part in (relink_lines, tell_untold, tell_late_promises, tell_shipped_anyway, end_cases, mind_payments):
        try:
            done += await part(state)
        except Exception as error:
            failed.append(error)
    if done:
        state.doorbell.ring("feed")
    if failed:
        raise failed[0]
    return done


async def relink_lines(state: State) -> int:
    """Lines whose SKU was unknown when they were sold, and is known by now: linked, and allocated."""
    found: dict[UUID, list[tuple[int, int]]] = {}
    for order_id, line, sku_id in await state.database.hot.fetch(_UNLINKED, BATCH):
        found.setdefault(order_id, []).append((line, sku_id))
    for order_id, lines in found.items():
        await _link(state, order_id, lines)
        answer = await allocate_order(state, order_id, "RELINKED")
        await tell_problem(state, order_id, anew=bool(answer["waiting"]))
    return len(found)


async def _link(state: State, order_id: UUID, lines: Sequence[tuple[int, int]]) -> None:
    async def once() -> None:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await lock_order(connection, order_id)
            names = [await connection.fetchval(_LINK, order_id, line, sku_id) for line, sku_id in lines]
            linked = [name for name in names if name is not None]
            if linked:
                await note_events(connection, order_id, [OrderEvent("RELINKED", data={"lines": linked})], SYSTEM)

    await rerun(once)


async def tell_untold(state: State) -> int:
    """Orders that want what nobody has, and of which nobody was told: a worker was killed before it could."""
    kinds = [kind.value for kind in UNITS_MISSING]
    found = [row[0] for row in await state.database.hot.fetch(_UNTOLD, BATCH, UNTOLD_SECONDS, kinds)]
    for order_id in found:
        await tell_problem(state, order_id)
    return len(found)


async def tell_late_promises(state: State) -> int:
    """Orders that must ship or arrive soon, or had to, and have not shipped: one case each while that lasts."""
    rows = await state.database.hot.fetch(_AT_RISK, BATCH, state.settings.promise_risk_seconds)
    if rows:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await open_cases(connection, [_at_risk(row) for row in rows])
    return len(rows)


def _at_risk(row: Any) -> Problem:
    late = row["due"] < datetime.datetime.now(datetime.UTC)
    what = f"{'had to' if late else 'must'} {'ship' if row['ships'] else 'arrive'} by {row['due']:%Y-%m-%d %H:%M} UTC"
    return Problem(
        CaseKind.PROMISE_AT_RISK,
        Severity.CRITICAL if late else Severity.HIGH,
        CauseClass.UNKNOWN,
        f"order:{row['id']}",
        f"Order {row['label']} {what}",
        f"It is {row['status']}: look at its work, route it anew (exceptionRetry), or agree on another date with the "
        "buyer and say it (orderPromiseUpdate).",
        row["channel_id"],
    )


async def tell_shipped_anyway(state: State) -> int:
    """Warehouses that were asked to cancel, and had shipped: shipping wins, and somebody must ask for the goods."""
    found = [row[0] for row in await state.database.hot.fetch(_SHIPPED_ANYWAY, BATCH)]
    for order_id in found:
        await _tell_shipped(state, order_id)
    return len(found)


async def _tell_shipped(state: State, order_id: UUID) -> None:
    async def once() -> None:
        async with state.database.hot.acquire() as connection, connection.transaction():
            order = await lock_order(connection, order_id)
            asked = dict(await connection.fetch(_TELL_SHIPPED, order_id))
            if order is not None and asked:
                units = by_name(order, asked)
                await note_events(connection, order_id, [OrderEvent("CANCEL_TOO_LATE", data=units)], SYSTEM)
                await open_cases(connection, [too_late(order_id, order.channel_id, order.label, units)])

    await rerun(once)


async def end_cases(state: State) -> int:
    """Cases of orders that are well again, with what shows it."""
    rows = await state.database.hot.fetch(_WELL, BATCH, state.settings.promise_risk_seconds)
    ended = 0
    for kind in sorted({row["kind"] for row in rows}):
        proofs = {row["subject"]: _proof(row) for row in rows if row["kind"] == kind}
        async with state.database.hot.acquire() as connection, connection.transaction():
            ended += await resolve_cases(connection, [kind], proofs)
    return ended


def _proof(row: Any) -> dict[str, Any]:
    if row["kind"] == CaseKind.PROMISE_AT_RISK:
        return prove_promise(row)
    return {"status": row["status"], "at": datetime.datetime.now(datetime.UTC), "backordered": 0}
