"""Reading what each call of a channel came to."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from app.channels.see_channels import see_channels
from app.conditions import Conditions
from domain.identity import Principal

_ATTEMPTS = """
SELECT a.id, a.channel_id, c.code AS channel, a.lane, a.started_at, a.seconds, a.listings, a.done, a.failed, a.cause,
  a.error
FROM sync_attempts a JOIN channels c ON c.id = a.channel_id
"""
_COUNT = "SELECT count(*) FROM sync_attempts a JOIN channels c ON c.id = a.channel_id"
FAILED = "(a.failed > 0 OR a.error IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """None leaves a filter out. `failed`: only calls that failed, wholly or for some listings."""

    channel: str | None = None
    lanes: Sequence[str] | None = None
    failed: bool = False
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


async def read_attempts(
    database: Database, principal: Principal, chosen: AttemptFilter, before: int, limit: int
) -> Sequence[Any]:
    """Newest first, before an id (0: from the newest), at most `limit`."""
    found = _choose(await see_channels(database.hot, principal), chosen)
    if before:
        found.add("a.id < {}::bigint", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{_ATTEMPTS} {found.where} ORDER BY a.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_attempts(database: Database, principal: Principal, chosen: AttemptFilter) -> int:
    found = _choose(await see_channels(database.hot, principal), chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_attempt(database: Database, principal: Principal, attempt_id: int) -> Any:
    """One attempt; None when there is none that the principal may see."""
    row = await database.hot.fetchrow(f"{_ATTEMPTS} WHERE a.id = $1", attempt_id)
    visible = await see_channels(database.hot, principal)
    return row if row is not None and (visible is None or row["channel_id"] in visible) else None


async def read_recent_failures(
    connection: Any, channel_ids: Sequence[int] | None, lanes: Sequence[str] | None, limit: int
) -> Sequence[Any]:
    """The last failed calls of these channels (None: of all), oldest first."""
    found = Conditions()
    found.add(FAILED)
    if channel_ids is not None:
        found.add("a.channel_id = ANY({}::int[])", list(channel_ids))
    if lanes is not None:
        found.add("a.lane = ANY({}::text[])", list(lanes))
    query = f"{_ATTEMPTS} {found.where} ORDER BY a.id DESC LIMIT {found.place(limit)}"
    return list(reversed(await connection.fetch(query, *found.values)))


def _choose(visible: list[int] | None, chosen: AttemptFilter) -> Conditions:
    found = Conditions()
    if visible is not None:
        found.add("a.channel_id = ANY({}::int[])", visible)
    if chosen.channel is not None:
        found.add("c.code = {}", chosen.channel)
    if chosen.lanes is not None:
        found.add("a.lane = ANY({}::text[])", list(chosen.lanes))
    if chosen.failed:
        found.add(FAILED)
    if chosen.since is not None:
        found.add("a.started_at >= {}", chosen.since)
    if chosen.until is not None:
        found.add("a.started_at < {}", chosen.until)
    return found
