"""Reading a few at a time: one failure ends the others, and leaves whoever asked as it was."""

from __future__ import annotations

import asyncio

import pytest

from adapters.channels.ebay.read_offers import gather_few
from domain.errors import Fault


async def test_a_failure_ends_the_others_and_cancels_nothing_of_the_caller() -> None:
    """A task that stays half cancelled turns its next time-out into an end (Python before 3.11.3)."""
    ended: list[str] = []

    async def read(item: str) -> str:
        if item == "bad":
            await asyncio.sleep(0)
            raise Fault("no", transient=False)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(item)
            raise
        return item

    with pytest.raises(Fault, match="no"):
        await gather_few(read, ["one", "bad", "two"])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert sorted(ended) == ["one", "two"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)


async def test_answers_come_in_the_order_asked() -> None:
    async def read(item: str) -> str:
        await asyncio.sleep(0.02 if item == "a" else 0)
        return item.upper()

    assert await gather_few(read, ["a", "b", "c"]) == ["A", "B", "C"]
