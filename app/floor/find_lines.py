"""Lines of a floor document: codes to SKUs, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from app.catalog.lookup import Lookup, sku_not_found
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode


class HasSku(Protocol):
    @property
    def sku(self) -> str: ...


L = TypeVar("L", bound=HasSku)


async def find_lines(lookup: Lookup, lines: Sequence[L], *, repeats: bool = False) -> list[tuple[int, L]]:
    """(SKU id, line) in order. `repeats`: a SKU may come more than once.

    Raises `Refusal` INVALID_INPUT (no line), TOO_MANY_LINES, SKU_NOT_FOUND, DUPLICATE_LINE.
    """
    check_line_count(len(lines))
    skus = await lookup.find_skus(line.sku for line in lines)
    found: list[tuple[int, L]] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index), "sku")
        if line.sku not in skus:
            raise sku_not_found(line.sku, path)
        found.append((skus[line.sku], line))
    if not repeats:
        check_unique(sku_id for sku_id, _ in found)
    return found


def check_unique(sku_ids: Iterable[int]) -> None:
    """Raises `Refusal` DUPLICATE_LINE at the second line of a SKU."""
    seen: set[int] = set()
    for index, sku_id in enumerate(sku_ids):
        if sku_id in seen:
            path = ("lines", str(index), "sku")
            raise Refusal(RefusalCode.DUPLICATE_LINE, "The SKU comes twice: make one line of them.", path)
        seen.add(sku_id)
