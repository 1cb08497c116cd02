"""Reading alert rules, without their secrets, and what they delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from adapters.postgres.database import Database
from app.channels.seal_credentials import open_credentials
from app.conditions import Conditions
from app.state import State
from domain.errors import Fault
from domain.identity import Principal

RULES = """
SELECT r.*, (SELECT array_agg(c.code ORDER BY c.code) FROM channels c WHERE c.id = ANY(r.channel_ids)) AS channels
FROM alert_rules r
"""
_DELIVERIES = """
SELECT d.id, d.state, d.created_at, d.due_at, d.sent_at, d.attempts, d.error, d.case_ids, r.name AS rule
FROM alert_deliveries d JOIN alert_rules r ON r.id = d.rule_id
"""
_COUNT = "SELECT count(*) FROM alert_deliveries d JOIN alert_rules r ON r.id = d.rule_id"
SHOWN = ("id", "name", "kinds", "severities", "channels", "target", "group_seconds", "repeat_seconds", "enabled")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """None leaves a filter out. `rule`: by name."""

    rule: str | None = None
    states: Sequence[str] | None = None


async def read_rules(state: State, principal: Principal) -> list[dict[str, Any]]:
    """All that the principal may see, by name."""
    found = Conditions()
    _limit(found, principal)
    rows = await state.database.hot.fetch(f"{RULES} {found.where} ORDER BY r.name", *found.values)
    return [show_rule(state, row) for row in rows]


async def read_rule(state: State, principal: Principal, rule_id: int) -> dict[str, Any] | None:
    """One rule; None when there is none that the principal may see."""
    found = Conditions()
    _limit(found, principal)
    found.add("r.id = {}", rule_id)
    row = await state.database.hot.fetchrow(f"{RULES} {found.where}", *found.values)
    return None if row is None else show_rule(state, row)


async def read_deliveries(
    database: Database, principal: Principal, chosen: DeliveryFilter, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("d.id < {}::uuid", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{_DELIVERIES} {found.where} ORDER BY d.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_deliveries(database: Database, principal: Principal, chosen: DeliveryFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_delivery(database: Database, principal: Principal, delivery_id: UUID) -> Any:
    """One delivery; None when there is none that the principal may see."""
    found = _choose(principal, DeliveryFilter())
    found.add("d.id = {}::uuid", delivery_id)
    return await database.hot.fetchrow(f"{_DELIVERIES} {found.where}", *found.values)


def show_rule(state: State, row: Any) -> dict[str, Any]:
    """A rule as it may be seen: of its address only the kind of service, or the host."""
    return {**{name: row[name] for name in SHOWN}, "destination": _hint(state, row), "created_at": row["created_at"]}


def _hint(state: State, row: Any) -> str | None:
    """None when no key opens the address."""
    try:
        url = urlsplit(open_credentials(state.settings, row["sealed"])["url"])
    except (Fault, KeyError, ValueError):
        return None
    return f"{url.scheme}://{url.hostname}/…" if row["target"] == "WEBHOOK" else f"{url.scheme}://…"


def _limit(found: Conditions, principal: Principal) -> None:
    if principal.warehouse_ids is not None:
        found.add("false")
    if principal.channel_ids is not None:
        found.add("r.channel_ids <@ {}::int[]", sorted(principal.channel_ids))


def _choose(principal: Principal, chosen: DeliveryFilter) -> Conditions:
    found = Conditions()
    _limit(found, principal)
    if chosen.rule is not None:
        found.add("r.name = {}", chosen.rule)
    if chosen.states is not None:
        found.add("d.state = ANY({}::text[])", list(chosen.states))
    return found
