"""A look at the whole SKU that finds what the books have ends the case of units that were missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.exceptions.resolve_cases import resolve_cases
from domain.exceptions import CaseKind


async def settle_shortages(connection: Any, proof: dict[str, Any], warehouse_id: int, sku_ids: Iterable[int]) -> None:
    """`proof`: the count, or who looked."""
    proofs = {f"stock:{sku_id}.{warehouse_id}": proof for sku_id in sku_ids}
    await resolve_cases(connection, (CaseKind.COUNT_SHORTAGE.value,), proofs)
