"""What of a damage is disposed of, and how: counted on its row, which is locked first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

COLUMNS = {"REPAIR": "repaired", "SCRAP": "scrapped", "RETURN_TO_VENDOR": "sent_back"}
_WAITED = "UPDATE damages SET waiting = waiting - $2 WHERE id = $1"


async def count_disposal(connection: Any, damage_id: UUID, how: str | None, moves: Sequence[Mapping[str, Any]]) -> None:
    """Units that waited for a second person are disposed of; `how` None: they are not, and wait no longer."""
    units = sum(move["quantity"] for move in moves)
    await connection.execute(_WAITED, damage_id, units)
    if how is not None:
        column = COLUMNS[how]
        await connection.execute(f"UPDATE damages SET {column} = {column} + $2 WHERE id = $1", damage_id, units)  # noqa: S608
