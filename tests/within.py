"""Limits on waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What `work` gives; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        return await work


async def until(check: Callable[[], bool], seconds: float = 10.0, every_seconds: float = 0.01) -> None:
    """Look again and again; TimeoutError when it is not so after `seconds`."""
    for _ in range(int(seconds / every_seconds)):
        if check():
            return
        await asyncio.sleep(every_seconds)
    raise TimeoutError
