"""Say who changes channels, for the trail that triggers write of it (`channel_changes`)."""

from __future__ import annotations

from typing import Any

from domain.identity import Principal

_SAY = "SELECT set_config('onhand.actor', $1, true), set_config('onhand.token', $2, true)"


async def say_who(connection: Any, principal: Principal) -> None:
    """For the rest of the transaction. What is changed without it is the system's doing."""
    await connection.execute(_SAY, principal.name, principal.token_id or principal.id)
