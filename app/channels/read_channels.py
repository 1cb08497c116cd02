"""Reading channels: all of them in one statement, and what they sell from in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.database import Database
from app.channels.listing_state import OF_LISTING, STATE
from app.channels.see_channels import see_channels
from app.stock.read_stock import WAREHOUSE_COLUMNS
from domain.identity import Principal

CHANNEL_COLUMNS = """
c.id AS c_id, c.code AS c_code, c.name AS c_name, c.kind AS c_kind, c.status AS c_status, c.buffer AS c_buffer,
c.share_percent AS c_share_percent, c.maximum AS c_maximum, c.minimum AS c_minimum, c.multiple AS c_multiple,
c.adaptive AS c_adaptive, c.safety_stock AS c_safety_stock, c.frozen AS c_frozen,
 c.created_at AS c_created_at, h.orders_until AS h_orders_until,
(SELECT json_agg(g ORDER BY g.scope)::text FROM channel_circuits g WHERE g.channel_id = c.id) AS h_circuits
"""
_CHANNELS = f"""
SELECT {CHANNEL_COLUMNS} FROM channels c LEFT JOIN channel_health h ON h.channel_id = c.id
WHERE ($1::int[] IS NULL OR c.id = ANY($1)) AND ($2::text IS NULL OR c.code = $2) ORDER BY c.code
"""  # noqa: S608
_WAREHOUSES = f"""
SELECT cw.channel_id, cw.location, cw.status, {WAREHOUSE_COLUMNS}
FROM channel_warehouses cw JOIN warehouses w ON w.id = cw.warehouse_id
WHERE cw.channel_id = ANY($1::int[]) ORDER BY cw.channel_id, w.code
"""  # noqa: S608
_COUNTS = f"""
SELECT channel_id, state, count(*)::int AS count
FROM (SELECT l.channel_id, {STATE} AS state FROM listings l {OF_LISTING} WHERE l.channel_id = ANY($1::int[])) AS found
GROUP BY channel_id, state ORDER BY channel_id, state
"""  # noqa: S608


async def read_channels(database: Database, principal: Principal, code: str | None = None) -> Sequence[Any]:
    """The channels that the principal may see, by code; the one of `code` when that is given."""
    visible = await see_channels(database.hot, principal)
    rows: Sequence[Any] = await database.hot.fetch(_CHANNELS, visible, code)
    return rows


async def read_channels_by_ids(connection: Any, channel_ids: Sequence[int]) -> Sequence[Any]:
    rows: Sequence[Any] = await connection.fetch(_CHANNELS, list(channel_ids), None)
    return rows


async def read_sources(database: Database, channel_ids: Sequence[int]) -> Sequence[Any]:
    """The warehouses that channels sell from, with `channel_id`, `location` and `status`."""
    rows: Sequence[Any] = await database.hot.fetch(_WAREHOUSES, list(channel_ids))
    return rows


async def count_listings_by_state(database: Database, channel_ids: Sequence[int]) -> Sequence[Any]:
    """Rows of `channel_id`, `state` and `count`; states of no listing are left out."""
    rows: Sequence[Any] = await database.hot.fetch(_COUNTS, list(channel_ids))
    return rows
