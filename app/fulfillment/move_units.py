"""Take units that a fulfilment order binds out of the ledger's `committed`, to wherever they went."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.fulfillment.lock_work import Work
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey


async def move_units(
    connection: Any,
    work: Work,
    units: Mapping[int, int],
    target: str,
    reason: str,
    provenance: Provenance,
    occurred_at: datetime.datetime | None,
    note: str | None = None,
) -> None:
    """`units`: by line of the fulfilment order. The order's row must be locked already."""
    by_sku = count_skus(work, units)
    book = await lock_rows(connection, (StockKey(sku_id, work.warehouse_id) for sku_id in by_sku))
    for sku_id, quantity in by_sku.items():
        book.post(Posting(StockKey(sku_id, work.warehouse_id), "committed", target, quantity))
    footing = footing_of(work, reason, provenance, occurred_at, note)
    now = datetime.datetime.now(datetime.UTC)
    await write_book(connection, book, [footing] * len(book.entries), now)


def count_skus(work: Work, units: Mapping[int, int]) -> dict[int, int]:
    """Units by SKU of units by line."""
    by_sku: dict[int, int] = {}
    for line in work.lines:
        if units.get(line.line):
            by_sku[line.sku_id] = by_sku.get(line.sku_id, 0) + units[line.line]
    return by_sku


def footing_of(
    work: Work, reason: str, provenance: Provenance, occurred_at: datetime.datetime | None, note: str | None = None
) -> Footing:
    """All movements of an order have its document, so that what it bound and what became of that add up."""
    remarks = Remarks(reason, note, reference=work.order["name"])
    return Footing(provenance, remarks, document=f"order:{work.order_id}", effective_at=occurred_at)
