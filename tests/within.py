"""A limit on a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What `work` gives; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        return await work
