"""SKUs by code or barcode, on a caller's connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_FIND = """
SELECT id, code, barcode, status FROM skus WHERE code = ANY($1::text[]) OR barcode = ANY($1::text[])
"""


@dataclass(frozen=True, slots=True)
class FoundSku:
    id: int
    code: str
    barcode: str | None
    status: str


async def find_skus(connection: Any, codes: Sequence[str]) -> dict[str, FoundSku]:
    """By what was given; what is unknown is left out. A code wins over an equal barcode."""
    found = [FoundSku(*row) for row in await connection.fetch(_FIND, list(codes))]
    known = {sku.barcode: sku for sku in found if sku.barcode is not None} | {sku.code: sku for sku in found}
    return {code: known[code] for code in codes if code in known}
