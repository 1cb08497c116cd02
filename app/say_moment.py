"""Tell the database when what a transaction records really happened, for what its triggers write (`pick_records`)."""

from __future__ import annotations

import datetime
from typing import Any


async def say_moment(connection: Any, occurred_at: datetime.datetime | None) -> None:
    """For the rest of the transaction. None: just now."""
    if occurred_at is not None:
        await connection.execute("SELECT set_config('onhand.occurred_at', $1, true)", occurred_at.isoformat())
