"""Reading exception cases and what was done about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from app.channels.see_channels import see_channels
from app.conditions import Conditions
from domain.identity import Principal

TIMELINE_MAX = 200
_FROM = """
FROM exception_cases x
LEFT JOIN channels c ON c.id = x.channel_id
LEFT JOIN skus s ON s.id = x.sku_id
LEFT JOIN warehouses w ON w.id = x.warehouse_id
"""
CASES = f"""
SELECT x.id, x.kind, x.severity, x.state, x.cause, x.subject, x.title, x.detail, x.owner, x.due_at, x.count,
  x.opened_at, x.last_seen_at, x.resolved_at, x.resolution, x.proof::text AS proof, x.channel_id, x.warehouse_id,
  c.code AS channel, s.code AS sku, w.code AS warehouse
{_FROM}
"""
_COUNT = f"SELECT count(*) {_FROM}"
_TIMELINES = """
SELECT e.* FROM unnest($1::uuid[]) AS g (id)
CROSS JOIN LATERAL (
  SELECT case_id, id, at, actor, action, note, data::text AS data FROM exception_events
  WHERE case_id = g.id ORDER BY id DESC LIMIT $2
) e ORDER BY e.case_id, e.id
"""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """None leaves a filter out. `overdue`: only open ones that nobody took up in time."""

    kinds: Sequence[str] | None = None
    states: Sequence[str] | None = None
    severities: Sequence[str] | None = None
    owner: str | None = None
    channel: str | None = None
    sku: str | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class CaseSight:
    """Which cases a principal may see; None is no limit. Without its channel or warehouse nobody limited sees one."""

    channel_ids: frozenset[int] | None
    warehouse_ids: frozenset[int] | None

    def shows(self, channel_id: int | None, warehouse_id: int | None) -> bool:
        if channel_id is not None:
            return self.channel_ids is None or channel_id in self.channel_ids
        if warehouse_id is not None and self.warehouse_ids is not None:
            return warehouse_id in self.warehouse_ids
        return self.channel_ids is None and self.warehouse_ids is None

    def add_to(self, found: Conditions) -> None:
        """The same as SQL."""
        parts = []
        if self.channel_ids is not None:
            parts.append(f"x.channel_id = ANY({found.place(sorted(self.channel_ids))}::int[])")
            if self.warehouse_ids is not None:
                houses = found.place(sorted(self.warehouse_ids))
                parts.append(f"(x.channel_id IS NULL AND x.warehouse_id = ANY({houses}::int[]))")
            found.add(f"({' OR '.join(parts)})")


async def see_cases(connection: Any, principal: Principal) -> CaseSight:
    channels = await see_channels(connection, principal)
    return CaseSight(None if channels is None else frozenset(channels), principal.warehouse_ids)


async def read_cases(
    database: Database, principal: Principal, chosen: CaseFilter, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = await _choose(database, principal, chosen)
    if before is not None:
        found.add("x.id < {}::uuid", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{CASES} {found.where} ORDER BY x.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_cases(database: Database, principal: Principal, chosen: CaseFilter) -> int:
    found = await _choose(database, principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_case(database: Database, principal: Principal, case_id: UUID) -> Any:
    """One case; None when there is none that the principal may see."""
    rows = await read_cases_by_ids(database.hot, [case_id])
    sight = await see_cases(database.hot, principal)
    return rows[0] if rows and sight.shows(rows[0]["channel_id"], rows[0]["warehouse_id"]) else None


async def read_cases_by_ids(connection: Any, ids: Sequence[UUID]) -> Sequence[Any]:
    """Whoever may see them."""
    rows: Sequence[Any] = await connection.fetch(f"{CASES} WHERE x.id = ANY($1::uuid[])", list(ids))
    return rows


async def read_timelines(connection: Any, ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """What was done about each case, oldest first; the last `TIMELINE_MAX`."""
    found: dict[UUID, list[Any]] = {case_id: [] for case_id in ids}
    for row in await connection.fetch(_TIMELINES, list(ids), TIMELINE_MAX):
        found[row["case_id"]].append(row)
    return found


async def _choose(database: Database, principal: Principal, chosen: CaseFilter) -> Conditions:
    found = Conditions()
    (await see_cases(database.hot, principal)).add_to(found)
    for column, values in (("kind", chosen.kinds), ("state", chosen.states), ("severity", chosen.severities)):
        if values is not None:
            found.add(f"x.{column} = ANY({{}}::text[])", list(values))
    for column, value in (("x.owner", chosen.owner), ("c.code", chosen.channel), ("s.code", chosen.sku)):
        if value is not None:
            found.add(f"{column} = {{}}", value)
    if chosen.overdue:
        found.add("x.state = 'OPEN' AND x.due_at < now()")
    return found
