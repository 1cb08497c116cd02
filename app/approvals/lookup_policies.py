"""Who may move how much alone, remembered in the process like warehouses are."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapters.postgres.database import Database
from domain.approvals import ApprovalKind, Guard, Limit, choose_limits
from domain.identity import Principal

FRESH_SECONDS = 2.0
"""A limit that was set holds in every process after this."""
_POLICIES = "SELECT kind, role, units_max, value_max FROM approval_policies ORDER BY kind, role"
_COSTS = "SELECT id, unit_cost FROM skus WHERE id = ANY($1::int[])"


@dataclass(slots=True)
class Policies:
    """The limits of one process."""

    database: Database
    _kept: dict[str, dict[str, Limit]] = field(default_factory=dict)
    _read_at: float = float("-inf")

    async def reload(self) -> None:
        found: dict[str, dict[str, Limit]] = {}
        for kind, role, units_max, value_max in await self.database.hot.fetch(_POLICIES):
            found.setdefault(kind, {})[role] = Limit(units_max, value_max)
        self._kept, self._read_at = found, time.monotonic()

    async def guard(self, kind: ApprovalKind, principal: Principal, sku_ids: Iterable[int]) -> Guard | None:
        """What this caller's command is held against; None when nothing limits it, as when no limit was ever set."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await self.reload()
        limits = choose_limits(self._kept.get(kind, {}), principal.roles)
        if not limits:
            return None
        return Guard(limits, await read_costs(self.database.hot, sku_ids))


async def read_costs(connection: Any, sku_ids: Iterable[int]) -> dict[int, Decimal | None]:
    """Unit cost by SKU id, in the currency it is kept in."""
    return {row[0]: row[1] for row in await connection.fetch(_COSTS, sorted(set(sku_ids)))}
