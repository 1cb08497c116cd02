"""Give a warehouse's day back when work that took a place in it is not done there after all."""

from __future__ import annotations

import datetime
from typing import Any

from app.fulfillment.lock_work import Work

_FREE = """
UPDATE warehouse_days SET taken = taken - 1, version = version + 1 WHERE warehouse_id = $1 AND day = $2 AND taken > 0
"""


async def free_day(connection: Any, work: Work) -> None:
    """Days that are over stay as they were."""
    day = work.row["day"]
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    if day is not None and day >= yesterday and not any(line.shipped for line in work.lines):
        await connection.execute(_FREE, work.warehouse_id, day)
