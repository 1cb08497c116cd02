"""No part of a kit leaves alone: what a parcel, a split or a short pick would break of the kits in a piece of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.kit_parts import read_parts
from domain.errors import Refusal, RefusalCode
from domain.kits import break_kits
from domain.work_lines import WorkLine


async def find_leftovers(
    connection: Any, order_id: UUID, lines: Sequence[WorkLine], taken: Mapping[int, int]
) -> dict[int, int]:
    """Units by line that make no kit any more once `taken` is gone from `lines`. What made none before is left out."""
    bound = {line.line: line.bound for line in lines}
    parts = {line: part for line, part in (await read_parts(connection, order_id)).items() if line in bound}
    return break_kits(bound, taken, parts)


async def refuse_broken(connection: Any, order_id: UUID, lines: Sequence[WorkLine], taken: Mapping[int, int]) -> None:
    """Raises `Refusal` INVALID_QUANTITY when `taken` is not of whole kits."""
    left = await find_leftovers(connection, order_id, lines, taken)
    if left:
        message = "Part of a kit would go alone: take all its components, for as many kits as you like."
        raise Refusal(RefusalCode.INVALID_QUANTITY, message, ("lines",))
