"""Which channels a principal may see, and finding one by its code.

A token limited to channels sees those. One limited to warehouses sees the channels that sell from its warehouses
only: what a channel shows is the sum of all its warehouses, and would tell of the others.
"""

from __future__ import annotations

from typing import Any

from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

_WITHIN = """
SELECT c.id FROM channels c
WHERE ($1::int[] IS NULL OR c.id = ANY($1))
  AND EXISTS (SELECT FROM channel_warehouses cw WHERE cw.channel_id = c.id)
  AND NOT EXISTS (SELECT FROM channel_warehouses cw WHERE cw.channel_id = c.id AND NOT cw.warehouse_id = ANY($2::int[]))
"""
_BY_CODE = "SELECT id FROM channels WHERE code = $1"


async def see_channels(connection: Any, principal: Principal) -> list[int] | None:
    """Ids of the channels that may be seen; None for all."""
    limit = None if principal.channel_ids is None else sorted(principal.channel_ids)
    if principal.warehouse_ids is None:
        return limit
    return [row[0] for row in await connection.fetch(_WITHIN, limit, sorted(principal.warehouse_ids))]


async def find_channel(
    connection: Any, principal: Principal, code: str, path: tuple[str, ...] = ("channel",), *, lock: bool = False
) -> int:
    """The id of a channel. Raises `Refusal` CHANNEL_NOT_FOUND, the same for hidden and for unknown.

    `lock`: nobody else changes the channel until the transaction ends.
    """
    found = await connection.fetchval(_BY_CODE + (" FOR NO KEY UPDATE" if lock else ""), code)
    visible = await see_channels(connection, principal)
    if found is None or (visible is not None and found not in visible):
        raise channel_not_found(code, path)
    return int(found)


def channel_not_found(code: str, path: tuple[str, ...]) -> Refusal:
    return Refusal(RefusalCode.CHANNEL_NOT_FOUND, f"There is no channel {code!r}.", path)
