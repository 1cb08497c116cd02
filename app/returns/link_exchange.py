"""Link an order that is sent instead to the one that it is sent instead of, and to the return that it answers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.channels.base import ChannelOrder
from app.returns.hold_return import keep_return, lock_return
from app.state import State
from domain.identity import Principal

SYSTEM = Principal("exchanges", "exchanges", frozenset())
_NAMED = """
SELECT e.id, o.id AS original FROM orders e JOIN orders o ON o.channel_id = e.channel_id AND o.external_id = $3
WHERE e.channel_id = $1 AND e.external_id = $2 AND e.exchange_of IS NULL AND e.id <> o.id
"""
_HOLD = "SELECT id FROM orders WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LINK = """
UPDATE orders SET exchange_of = $2, version = version + 1, updated_at = clock_timestamp()
WHERE id = $1 AND exchange_of IS NULL AND id <> $2
"""
_UNLINKED = """
SELECT ARRAY(SELECT r.id FROM returns r WHERE r.order_id = $1 AND r.exchange_reference IS NOT NULL
    AND r.exchange_order_id IS NULL AND r.state <> 'CANCELLED' LIMIT 2) AS returns,
  ARRAY(SELECT e.id FROM orders e WHERE e.exchange_of = $1 AND e.channel_knows
    AND NOT EXISTS (SELECT FROM returns r WHERE r.exchange_order_id = e.id) LIMIT 2) AS orders
"""

_LINK_LINES = """
UPDATE order_lines SET exchange_return_id = $1
WHERE order_id = $2 AND split_part(external_id, '#', 1) = ANY($3::text[]) AND exchange_return_id IS NULL
"""
_LINKED = "SELECT EXISTS (SELECT FROM order_lines WHERE order_id = $1 AND exchange_return_id = $2)"
_TELL = "UPDATE orders SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1"


async def link_order(connection: Any, order_id: UUID, original_id: UUID) -> None:
    """Once: what is linked already stays as it is."""
    await connection.execute(_LINK, order_id, original_id)


async def link_lines(connection: Any, return_id: UUID, order_id: UUID, names: Sequence[str]) -> bool:
    """Lines of the same order that are sent instead, by the channel's ids. Whether some are on record.

    The order is held, and then the return. A kit's parts are named as their kit is.
    """
    status = await connection.execute(_LINK_LINES, return_id, order_id, list(names))
    if status != "UPDATE 0":
        await connection.execute(_TELL, order_id)
    return bool(await connection.fetchval(_LINKED, order_id, return_id))


async def link_exchange(state: State, channel_id: int, order: ChannelOrder) -> None:
    """As its channel says of the order. Nothing happens while the one that it names is not on record."""
    if order.exchange_of is None:
        return
    found = await state.database.hot.fetchrow(_NAMED, channel_id, order.external_id, order.exchange_of)
    if found is None:
        return
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.fetch(_HOLD, [found["id"], found["original"]])
        await link_order(connection, found["id"], found["original"])
        await link_return(connection, found["original"])
    state.doorbell.ring("feed")


async def link_return(connection: Any, original_id: UUID) -> None:
    """The return whose channel says that something is sent instead, when there is one, and one order that could be it.

    The original is held.
    """
    found = await connection.fetchrow(_UNLINKED, original_id)
    if len(found["returns"]) == len(found["orders"]) == 1:
        held = await lock_return(connection, SYSTEM, found["returns"][0])
        now = datetime.datetime.now(datetime.UTC)
        await keep_return(connection, held, held.lines, {}, now, exchange_order_id=found["orders"][0])
