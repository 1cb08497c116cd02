"""A count of the whole SKU that finds what the books have ends the case of units that were missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from app.exceptions.resolve_cases import resolve_cases
from domain.exceptions import CaseKind


async def settle_shortages(connection: Any, count_id: UUID, warehouse_id: int, sku_ids: Iterable[int]) -> None:
    """With the count as the proof."""
    proofs = {f"stock:{sku_id}.{warehouse_id}": {"count": str(count_id)} for sku_id in sku_ids}
    await resolve_cases(connection, (CaseKind.COUNT_SHORTAGE.value,), proofs)
