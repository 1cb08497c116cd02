"""Reading partners, without their secrets, what they were sent, and what they said they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_PARTNERS = """
SELECT p.*, p.config->>'base_url' AS base_url, p.config->>'provider' AS provider, w.code AS warehouse,
  (SELECT count(*) FROM partner_orders o WHERE o.partner_id = p.id AND o.state <> 'ENDED') AS open_orders,
  (SELECT count(*) FROM partner_orders o WHERE o.partner_id = p.id AND o.state = 'PENDING') AS waiting_orders,
  (SELECT count(*) FROM partner_deliveries d WHERE d.partner_id = p.id AND d.state = 'PENDING') AS waiting_events
FROM partners p JOIN warehouses w ON w.id = p.warehouse_id
"""
SHOWN = (
    *("id", "code", "warehouse_id", "warehouse", "kind", "status", "webhook", "tolerance_units", "tolerance_percent"),
    *("silent_seconds", "failures", "failing_since", "webhook_failing_since", "last_success_at", "last_error"),
    *("changes_until", "snapshot_at", "created_at", "base_url", "provider", "open_orders", "waiting_orders"),
    "waiting_events",
)
_DELIVERIES = """
SELECT d.id, d.type, d.body, d.state, d.created_at, d.due_at, d.sent_at, d.attempts, d.error, d.fulfillment_order_id,
  p.code AS partner, p.warehouse_id FROM partner_deliveries d JOIN partners p ON p.id = d.partner_id
"""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """None leaves a filter out. `partner`: by code."""

    partner: str | None = None
    states: Sequence[str] | None = None


async def read_partners(state: State, principal: Principal) -> list[dict[str, Any]]:
    """All that the principal may see, by code."""
    found = Conditions()
    _limit(found, principal)
    rows = await state.database.hot.fetch(f"{_PARTNERS} {found.where} ORDER BY p.code", *found.values)
    return [show_partner(state, row) for row in rows]


async def read_partner(state: State, principal: Principal, partner_id: int) -> dict[str, Any] | None:
    """One partner; None when there is none that the principal may see."""
    row = await read_partner_row(state.database.hot, partner_id)
    return show_partner(state, row) if row is not None and principal.sees_warehouse(row["warehouse_id"]) else None


async def read_partner_row(connection: Any, partner_id: int) -> Any:
    """Whoever may see it."""
    return await connection.fetchrow(f"{_PARTNERS} WHERE p.id = $1", partner_id)


async def read_events(
    database: Database, principal: Principal, chosen: EventFilter, before: UUID | None, limit: int
) -> Sequence[Any]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("d.id < {}::uuid", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{_DELIVERIES} {found.where} ORDER BY d.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def read_event(database: Database, principal: Principal, event_id: UUID) -> Any:
    """One event; None when there is none that the principal may see."""
    found = _choose(principal, EventFilter())
    found.add("d.id = {}::uuid", event_id)
    return await database.hot.fetchrow(f"{_DELIVERIES} {found.where}", *found.values)


async def count_events(database: Database, principal: Principal, chosen: EventFilter) -> int:
    found = _choose(principal, chosen)
    query = f"SELECT count(*) FROM partner_deliveries d JOIN partners p ON p.id = d.partner_id {found.where}"  # noqa: S608
    return int(await database.hot.fetchval(query, *found.values))


def show_partner(state: State, row: Mapping[str, Any]) -> dict[str, Any]:
    """A partner as it may be seen: of its webhook's address only the host."""
    return {**{name: row[name] for name in SHOWN}, "webhook_host": _host(state, row)}


def _host(state: State, row: Mapping[str, Any]) -> str | None:
    """None without a webhook, and when no key opens its address."""
    try:
        return urlsplit(open_credentials(state.settings, row["sealed"])["webhook_url"]).hostname
    except (Fault, KeyError, ValueError):
        return None


def _limit(found: Conditions, principal: Principal) -> None:
    if principal.warehouse_ids is not None:
        found.add("p.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))


def _choose(principal: Principal, chosen: EventFilter) -> Conditions:
    found = Conditions()
    _limit(found, principal)
    if chosen.partner is not None:
        found.add("p.code = {}", chosen.partner)
    if chosen.states is not None:
        found.add("d.state = ANY({}::text[])", list(chosen.states))
    return found
