"""Change what is expected of a line (`incoming`), by what purchase orders promise or promise no more."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from adapters.postgres.ledger import lock_rows, write_book
from domain.stock import StockKey


async def expect_stock(connection: Any, changes: Mapping[StockKey, int], now: datetime.datetime) -> None:
    """So many units more (or fewer) are expected. Rows are locked in key order, as everywhere."""
    wanted = {key: units for key, units in changes.items() if units}
    if wanted:
        book = await lock_rows(connection, wanted)
        for key, units in wanted.items():
            book.expect(key, units)
        await write_book(connection, book, [], now)
