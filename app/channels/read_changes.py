"""Who changed what of channels: connection, switches, policies, sources and freezes, with what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.database import Database
from app.channels.see_channels import see_channels
from app.conditions import Conditions
from domain.identity import Principal

_CHANGES = """
SELECT x.id, c.code AS channel, x.at, x.action, x.subject, x.actor, x.token, x.before::text AS before,
  x.after::text AS after
FROM channel_changes x JOIN channels c ON c.id = x.channel_id
"""
_COUNT = "SELECT count(*) FROM channel_changes x JOIN channels c ON c.id = x.channel_id"


async def read_changes(
    database: Database, principal: Principal, channel: str | None, before: int, limit: int
) -> Sequence[Any]:
    """Newest first, before an id (0: from the newest), at most `limit`."""
    found = await _choose(database, principal, channel)
    if before:
        found.add("x.id < {}::bigint", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{_CHANGES} {found.where} ORDER BY x.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_changes(database: Database, principal: Principal, channel: str | None) -> int:
    found = await _choose(database, principal, channel)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def _choose(database: Database, principal: Principal, channel: str | None) -> Conditions:
    found = Conditions()
    visible = await see_channels(database.hot, principal)
    if visible is not None:
        found.add("x.channel_id = ANY({}::int[])", sorted(visible))
    if channel is not None:
        found.add("c.code = {}", channel)
    return found
