"""How far each reader of the change feed has come, for readers that outlive their process."""

from __future__ import annotations

from typing import Any

from adapters.postgres.feed import FeedPage
from domain.cursor import Position

_PLACE = "SELECT xid::text::bigint, id FROM relay_positions WHERE name = $1 FOR UPDATE"
_BEGIN = "INSERT INTO relay_positions (name, xid, id) VALUES ($1, '0', 0) ON CONFLICT DO NOTHING"
_MOVE = "UPDATE relay_positions SET xid = $2::text::xid8, id = $3 WHERE name = $1"


async def lock_place(connection: Any, name: str) -> Position:
    """Where the reader stands, the beginning at first; locked until the caller's transaction ends."""
    record = await connection.fetchrow(_PLACE, name)
    if record is None:
        await connection.execute(_BEGIN, name)
        record = await connection.fetchrow(_PLACE, name)
    return Position(*record)


async def move_place(connection: Any, name: str, page: FeedPage, *, lost: bool) -> None:
    """To the end of the page. `lost`: rows were deleted before they were read, so at least to where rows begin."""
    if page.events or lost:
        upto = page.events[-1].position if page.events else page.horizon
        await connection.execute(_MOVE, name, str(upto.xid), upto.id)
