"""What `stockChanged` shows: which changes a watcher may see, and the snapshot it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.feed import FeedEvent
from app.catalog.lookup import Lookup, sku_not_found
from app.stock.read_stock import LEVELS
from domain.identity import Principal

_SNAPSHOT = f"""
{LEVELS}
WHERE ($1::int[] IS NULL OR l.sku_id = ANY($1)) AND ($2::int[] IS NULL OR l.warehouse_id = ANY($2))
  AND (l.sku_id, l.warehouse_id) > ($3::int, $4::int)
ORDER BY l.sku_id, l.warehouse_id LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class StockWatch:
    """SKUs and warehouses watched; None for all. Equal watches share one stream."""

    sku_ids: frozenset[int] | None
    warehouse_ids: frozenset[int] | None

    def accepts(self, event: FeedEvent) -> bool:
        return (self.sku_ids is None or event.sku_id in self.sku_ids) and (
            self.warehouse_ids is None or event.warehouse_id in self.warehouse_ids
        )


async def prepare_watch(
    lookup: Lookup, principal: Principal, skus: Sequence[str] | None, warehouses: Sequence[str] | None
) -> StockWatch:
    """Resolve a filter within what the principal may see. Raises `Refusal` for what it cannot find."""
    sku_ids = None
    if skus is not None:
        found = await lookup.find_skus(skus)
        for index, code in enumerate(skus):
            if code not in found:
                raise sku_not_found(code, ("filter", "skus", str(index)))
        sku_ids = frozenset(found.values())
    warehouse_ids = principal.warehouse_ids
    if warehouses is not None:
        warehouse_ids = frozenset(
            [
                (await lookup.find_warehouse(code, principal, ("filter", "warehouses", str(index)), open_only=False)).id
                for index, code in enumerate(warehouses)
            ]
        )
    return StockWatch(sku_ids, warehouse_ids)


async def read_watched(connection: Any, watch: StockWatch, after: tuple[int, int]) -> Sequence[Any]:
    """Up to 1,000 levels after a key, on the caller's snapshot."""
    rows: Sequence[Any] = await connection.fetch(
        _SNAPSHOT,
        None if watch.sku_ids is None else list(watch.sku_ids),
        None if watch.warehouse_ids is None else list(watch.warehouse_ids),
        *after,
    )
    return rows
