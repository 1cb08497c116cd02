"""Feed rows written by hand, and a transaction that holds them back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.state import State


async def write_rows(state: State, *keys: str, topic: str = "stock") -> None:
    """One transaction for each row."""
    for key in keys:
        await state.database.hot.execute(
            "INSERT INTO feed (topic, key, sku_id, warehouse_id, payload) VALUES ($1, $2, 1, 1, '{}')", topic, key
        )


class Blocker:
    """A running transaction with an id: rows of later ones wait for it."""

    def __init__(self, connection: Any, transaction: Any) -> None:
        self.connection = connection
        self._transaction = transaction
        self._ended = False

    async def end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._transaction.commit()


@asynccontextmanager
async def blocked(state: State) -> AsyncIterator[Blocker]:
    """Hold the line where it is until the blocker ends."""
    async with state.database.hot.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT pg_current_xact_id()")
        blocker = Blocker(connection, transaction)
        try:
            yield blocker
        finally:
            await blocker.end()
