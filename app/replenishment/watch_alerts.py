"""What `alertRaised` shows: which alerts a watcher may see, and the snapshot it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.postgres.feed import FeedEvent
from app.catalog.lookup import Lookup
from app.conditions import Conditions
from app.replenishment.read_purchases import ALERTS
from domain.identity import Principal

SNAPSHOT_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class AlertWatch:
    """Warehouses and kinds watched; None for all. Equal watches share one stream."""

    warehouse_ids: frozenset[int] | None
    kinds: frozenset[str] | None

    def accepts(self, event: FeedEvent) -> bool:
        return (self.warehouse_ids is None or event.warehouse_id in self.warehouse_ids) and (
            self.kinds is None or orjson.loads(event.payload)["kind"] in self.kinds
        )


async def prepare_alert_watch(
    lookup: Lookup, principal: Principal, warehouses: Sequence[str] | None, kinds: frozenset[str] | None
) -> AlertWatch:
    """Within what the principal may see. Raises `Refusal` WAREHOUSE_NOT_FOUND."""
    ids = principal.warehouse_ids
    if warehouses is not None:
        found = [
            await lookup.find_warehouse(code, principal, ("filter", "warehouses", str(index)), open_only=False)
            for index, code in enumerate(warehouses)
        ]
        ids = frozenset(house.id for house in found)
    return AlertWatch(ids, kinds)


async def read_watched_alerts(connection: Any, watch: AlertWatch, after: Any) -> Sequence[Any]:
    """Up to `SNAPSHOT_PAGE` open alerts after an id (None: from the oldest), on the caller's snapshot."""
    found = Conditions()
    found.add("a.ended_at IS NULL")
    if watch.warehouse_ids is not None:
        found.add("a.warehouse_id = ANY({}::int[])", sorted(watch.warehouse_ids))
    if watch.kinds is not None:
        found.add("a.kind = ANY({}::text[])", sorted(watch.kinds))
    if after is not None:
        found.add("a.id > {}::uuid", after)
    rows: Sequence[Any] = await connection.fetch(
        f"{ALERTS} {found.where} ORDER BY a.id LIMIT {SNAPSHOT_PAGE}", *found.values
    )
    return rows
