"""Looking up codes while everything else of the database is taken."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from app.cli import OPERATOR
from app.state import State
from tests.seed import make_catalog


async def test_nobody_who_holds_a_connection_waits_for_another_to_look_up(state: State) -> None:
    """Every connection is held by somebody who looks up: with one pool for both they would wait for each other."""
    await make_catalog(state, ["BER"], 40)
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        for _ in range(state.settings.database_hot_pool_size):
            await stack.enter_async_context(state.database.hot.acquire())
        found = await asyncio.gather(*(state.lookup.find_skus([f"SKU-{n}"]) for n in range(40)))
        house = await state.lookup.find_warehouse("BER", OPERATOR, ("warehouse",))
    assert [list(one) for one in found] == [[f"SKU-{n}"] for n in range(40)]
    assert house.code == "BER"
