"""Erase who an order was for: on the schedule of its kind of channel, or when somebody asks for it.

The order stays, with country and region; routing's decisions on it stay without distances and postal code. The stored
events that told of it lose their bodies, which hold the same data.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.idempotency import IdempotentCall
from app.orders.find_order import ENDED, change_found
from app.orders.lock_order import OrderNow
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer
from app.state import State
from app.transact import rerun
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

BATCH = 200
_SCHEDULE = """
WITH due AS (
  SELECT ct.order_id, c.kind, o.status,
    (SELECT max(coalesce(f.delivered_at, f.shipped_at + make_interval(days => $4)))
     FROM fulfillments f WHERE f.order_id = o.id) AS delivered_at, o.updated_at
  FROM order_contacts ct JOIN orders o ON o.id = ct.order_id JOIN channels c ON c.id = o.channel_id
  WHERE ct.erased_at IS NULL AND ct.erase_at IS NULL AND o.status IN ('SHIPPED', 'CANCELLED')
  LIMIT $1
)
UPDATE order_contacts ct SET erase_at = coalesce(due.delivered_at, due.updated_at)
  + make_interval(days => coalesce(($2::jsonb ->> due.kind)::int, $3))
FROM due WHERE ct.order_id = due.order_id
"""
"""A parcel of which nobody says that it arrived is taken to have arrived after so many days."""
_UNSCHEDULE = """
UPDATE order_contacts ct SET erase_at = NULL FROM orders o
WHERE o.id = ct.order_id AND ct.erased_at IS NULL AND ct.erase_at <= now()
  AND o.status NOT IN ('SHIPPED', 'CANCELLED')
"""
"""Units were added to it meanwhile: it is scheduled anew when it ends again."""
_DUE = """
SELECT order_id FROM order_contacts WHERE erased_at IS NULL AND erase_at <= now() ORDER BY erase_at LIMIT $1
"""
_HELD = "SELECT id FROM orders WHERE id = $1 FOR UPDATE"
_LINKED = """
SELECT o.id, o.status, coalesce(o.name, o.external_id) AS name FROM orders o
WHERE o.id <> $1 AND (o.exchange_of = $1 OR EXISTS (
  SELECT FROM orders e WHERE e.id = $1 AND (o.id = e.exchange_of OR o.exchange_of = e.exchange_of)))
ORDER BY o.id FOR UPDATE OF o
"""
_ERASE = """
WITH erased AS (
  INSERT INTO order_contacts (order_id, sealed, erased_at) VALUES ($1, NULL, now())
  ON CONFLICT (order_id) DO UPDATE SET sealed = NULL, erased_at = coalesce(order_contacts.erased_at, now())
), left_over AS (
  UPDATE orders SET updated_at = now(), version = version + 1, destination = (
    SELECT json_object_agg(key, value) FROM json_each(destination) WHERE key IN ('country', 'region'))
  WHERE id = $1 RETURNING channel_id, external_id
)
UPDATE inbound_events e SET body = '' FROM left_over o
WHERE e.channel_id = o.channel_id AND e.order_external_id = o.external_id AND e.body <> ''
"""
_OLD_BODIES = """
UPDATE inbound_events SET body = '' WHERE id IN (
  SELECT e.id FROM inbound_events e JOIN channels c ON c.id = e.channel_id
  WHERE e.body <> '' AND e.processed_at IS NOT NULL
    AND e.received_at < now() - make_interval(days => least($3, coalesce(($2::jsonb ->> c.kind)::int, $3)))
  ORDER BY e.received_at LIMIT $1)
"""
"""Also of events that nobody could read: which order they told of is not known."""
_DECISIONS = "SELECT erase_decisions($1)"
"""Decisions cannot be changed, but by this function of the database."""
_NOTE = "INSERT INTO order_events (order_id, actor, action) VALUES ($1, $2, 'CONTACT_ERASED')"


async def erase_order(
    state: State, principal: Principal, order_id: UUID, provenance: Provenance, call: IdempotentCall | None
) -> Answer:
    """Those that it is exchanged for or instead of go with it: they were for the same person.

    Raises `Refusal` ORDER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE (one of them is still to be shipped to somebody).
    """

    async def work(connection: Any, order: OrderNow) -> None:
        linked = await connection.fetch(_LINKED, order_id)
        for status, name in ((order.status, order.label), *((row["status"], row["name"]) for row in linked)):
            if status not in ENDED:
                message = f"{name} is still to be shipped to somebody: ship or cancel it first."
                raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
        for one in (order_id, *(row["id"] for row in linked)):
            await connection.execute(_ERASE, one)
            await connection.execute(_DECISIONS, one)
        for row in linked:
            await connection.execute(_NOTE, row["id"], provenance.actor)
        await write_state(connection, order, {}, [OrderEvent("CONTACT_ERASED")], provenance.actor)

    return await change_found(state, principal, order_id, call, work)


async def erase_contacts(state: State) -> int:
    """Schedule what ended and erase what is due, a bounded batch of each; how many were erased."""
    settings = state.settings
    kinds = orjson.dumps(settings.contact_days_by_kind).decode()
    await state.database.hot.execute(_SCHEDULE, BATCH, kinds, settings.contact_days, settings.delivery_assumed_days)
    await state.database.hot.execute(_UNSCHEDULE)
    await state.database.hot.execute(_OLD_BODIES, BATCH, kinds, settings.contact_days)
    due = [row[0] for row in await state.database.hot.fetch(_DUE, BATCH)]
    for order_id in due:
        await _erase(state, order_id)
    return len(due)


async def _erase(state: State, order_id: UUID) -> None:
    async def once() -> None:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await connection.execute(_HELD, order_id)
            await connection.execute(_ERASE, order_id)
            await connection.execute(_DECISIONS, order_id)
            await connection.execute(_NOTE, order_id, "system")

    await rerun(once)
    state.doorbell.ring("feed")
