"""Promise again what a warehouse could not do: by itself, and with a case when nobody else can.

An order that is to be routed again says since when (`reroute_at`): that is the queue. A worker that dies gives its
orders back after the lease, and routing one twice changes nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import structlog

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.fulfillment.change_work import ring_work
from app.orders.write_state import OrderEvent, note_events
from app.state import State
from domain.errors import CauseClass, Refusal, RefusalCode
from domain.exceptions import CaseKind, Problem, Severity
from domain.provenance import Provenance

ORDERS_MAX = 20
CASES_MAX = 500
LEASE_SECONDS = 30.0
KINDS = (CaseKind.SHORT_PICK.value, CaseKind.REJECTION.value, CaseKind.ALLOCATION_IMPOSSIBLE.value)
Allocate = Callable[[State, UUID], Awaitable[object]]
"""Promises what an order still wants, from wherever it can be had."""
_CLAIM = """
UPDATE orders SET reroute_at = clock_timestamp() + make_interval(secs => $2)
WHERE id IN (SELECT id FROM orders WHERE reroute_at <= now() ORDER BY reroute_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, reroute_at
"""
_LOCK = "SELECT id, name, channel_id, status, reroute_at FROM orders WHERE id = $1 FOR UPDATE"
_DONE = "UPDATE orders SET reroute_at = NULL WHERE id = $1"
_LEFT = """
SELECT coalesce(sum(quantity - allocated - shipped - cancelled), 0) FROM order_lines WHERE order_id = $1
"""
_REFUSED = """
SELECT f.warehouse_id, w.code, f.reject_reason FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
WHERE f.order_id = $1 AND (f.status = 'REJECTED' OR f.reject_reason IS NOT NULL) ORDER BY f.updated_at DESC LIMIT 1
"""
_SHORT = (
    "SELECT EXISTS (SELECT FROM exception_cases WHERE kind = 'SHORT_PICK' AND subject = $1 AND state <> 'RESOLVED')"
)
_SETTLED = """
SELECT c.subject, o.status, (
  SELECT coalesce(json_object_agg(w.code, units), '{}') FROM (
    SELECT f.warehouse_id, sum(l.quantity - l.cancelled - l.short) AS units
    FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
    WHERE f.order_id = o.id AND f.status NOT IN ('REJECTED', 'CANCELLED') GROUP BY 1
  ) g JOIN warehouses w ON w.id = g.warehouse_id)::text AS warehouses
FROM exception_cases c JOIN orders o ON c.subject = 'order:' || o.id
WHERE c.state <> 'RESOLVED' AND c.kind = ANY($1::text[]) AND o.reroute_at IS NULL AND NOT EXISTS (
  SELECT FROM order_lines l WHERE l.order_id = o.id AND l.quantity > l.allocated + l.shipped + l.cancelled)
ORDER BY c.id LIMIT $2
"""
_LIFT = """
UPDATE fulfillment_orders f SET asked_again_at = now()
WHERE order_id = $1 AND warehouse_id = ANY($2::int[]) AND asked_again_at IS NULL
  AND (status = 'REJECTED' OR reject_reason IS NOT NULL OR EXISTS (
    SELECT FROM fulfillment_order_lines l WHERE l.fulfillment_order_id = f.id AND l.short > 0))
RETURNING warehouse_id
"""
log = structlog.get_logger()


async def reroute_orders(state: State, allocate: Allocate) -> int:
    """One bounded batch; returns how many were looked at. One that fails comes again after the lease, alone."""
    claimed = await state.database.hot.fetch(_CLAIM, ORDERS_MAX, LEASE_SECONDS)
    for row in claimed:
        try:
            await allocate(state, row["id"])
            async with state.database.hot.acquire() as connection, connection.transaction():
                await _conclude(connection, row["id"], row["reroute_at"])
        except Exception:
            log.exception("an order cannot be routed again", order=str(row["id"]))
    if claimed:
        ring_work(state)
    return len(claimed)


async def _conclude(connection: Any, order_id: UUID, claim: datetime.datetime) -> None:
    """A case for what is left. Whoever asked again meanwhile has the order looked at again."""
    order = await connection.fetchrow(_LOCK, order_id)
    if order["reroute_at"] != claim:
        return
    await connection.execute(_DONE, order_id)
    left = await connection.fetchval(_LEFT, order_id)
    if left and not await connection.fetchval(_SHORT, f"order:{order_id}"):
        await open_cases(connection, [_problem(order, left, await connection.fetchrow(_REFUSED, order_id))])


def _problem(order: Any, left: int, refused: Any) -> Problem:
    name = order["name"] or str(order["id"])
    if refused is None:
        kind, title = CaseKind.ALLOCATION_IMPOSSIBLE, f"No warehouse can fill order {name}"
        detail = f"{left} units wait for stock."
    else:
        kind, title = CaseKind.REJECTION, f"{refused['code']} does not ship order {name}, and nobody else can"
        detail = f"{refused['reject_reason']}: {left} units wait for stock elsewhere."
    return Problem(
        kind,
        Severity.HIGH,
        CauseClass.UNKNOWN,
        f"order:{order['id']}",
        title,
        detail,
        order["channel_id"],
        None,
        None if refused is None else refused["warehouse_id"],
    )


async def settle_order_cases(state: State) -> int:
    """Resolve the cases whose order wants nothing any more that is not promised; the proof says from where."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_SETTLED, list(KINDS), CASES_MAX)
        at = datetime.datetime.now(datetime.UTC)
        proofs = {row["subject"]: {"status": row["status"], "warehouses": row["warehouses"], "at": at} for row in rows}
        settled = await resolve_cases(connection, KINDS, proofs)
    if settled:
        state.doorbell.ring("feed")
    return settled


async def ask_again(connection: Any, order_id: UUID, houses: Mapping[int, str], provenance: Provenance) -> None:
    """Warehouses (code by id) that rejected the order or picked it short may be asked again. Its row must be locked.

    Raises `Refusal` INVALID_INPUT for one that routing leaves out for no such reason.
    """
    lifted = {row[0] for row in await connection.fetch(_LIFT, order_id, list(houses))}
    for index, (house, code) in enumerate(houses.items()):
        if house not in lifted:
            message = f"{code} neither rejected the order nor picked it short: it is asked anyway."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("warehouses", str(index)))
    if houses:
        event = OrderEvent("ASKED_AGAIN", data={"warehouses": list(houses.values())})
        await note_events(connection, order_id, [event], provenance.actor)


async def ask_for_reroute(connection: Any, order_id: UUID) -> None:
    """A worker routes the order again at once."""
    await connection.execute("UPDATE orders SET reroute_at = now() WHERE id = $1", order_id)
