"""Reading routing policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapters.postgres.database import Database
from app.run_once import Answer
from domain.identity import Principal
from domain.routing.policy import DEFAULT_POLICY
from domain.routing.read_policy import write_policy

COLUMNS = """version, status, name, document::text AS document, created_by, created_at, published_by, published_at,
  archived_at"""
_ACTIVE = f"SELECT {COLUMNS} FROM routing_policies WHERE status = 'ACTIVE'"  # noqa: S608
_ONE = f"SELECT {COLUMNS} FROM routing_policies WHERE version = $1"  # noqa: S608
_PAGE = f"""
SELECT {COLUMNS} FROM routing_policies WHERE ($1::int = 0 OR version < $1) AND ($2::text IS NULL OR status = $2)
ORDER BY version DESC LIMIT $3
"""  # noqa: S608
_COUNT = "SELECT count(*) FROM routing_policies WHERE ($1::text IS NULL OR status = $1)"
DEFAULT: Answer = {
    "version": None,
    "status": "ACTIVE",
    "name": DEFAULT_POLICY.name,
    "document": write_policy(DEFAULT_POLICY),
    **dict.fromkeys(("created_by", "created_at", "published_by", "published_at", "archived_at")),
}
"""What routes until somebody publishes a policy."""


def show_policy(row: Mapping[str, Any]) -> Answer:
    """A row as an answer, its document as JSON."""
    return {**dict(row), "document": orjson.loads(row["document"])}


def sees_routing(principal: Principal) -> bool:
    """Routing concerns every warehouse and channel: a limited token sees nothing of it."""
    return principal.warehouse_ids is None and principal.channel_ids is None


async def read_policy_row(database: Database, principal: Principal, version: int | None) -> Answer | None:
    """The policy of a version, or the active one; None when it is not there or not the principal's to see."""
    if not sees_routing(principal):
        return None
    if version is None:
        row = await database.hot.fetchrow(_ACTIVE)
        return DEFAULT if row is None else show_policy(row)
    row = await database.hot.fetchrow(_ONE, version)
    return None if row is None else show_policy(row)


async def read_policies(
    database: Database, principal: Principal, status: str | None, before: int, limit: int
) -> list[Answer]:
    """Newest first, below a version (0: from the top), at most `limit`."""
    if not sees_routing(principal):
        return []
    return [show_policy(row) for row in await database.hot.fetch(_PAGE, before, status, limit)]


async def count_policies(database: Database, principal: Principal, status: str | None) -> int:
    return int(await database.hot.fetchval(_COUNT, status)) if sees_routing(principal) else 0
