"""A bounded background loop: work again at once while there is some, else on a ring or after a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from app.state import State
from app.tasks import wait_until

BACKOFF_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 10.0
log = structlog.get_logger()
Work = Callable[[], Awaitable[int]]


async def repeat(state: State, name: str, seconds: float, work: Work, bell: str | None = None) -> None:
    """Until cancelled. A failure is logged and tried again, later each time; it never ends the loop."""
    structlog.contextvars.bind_contextvars(loop=name)
    wake = asyncio.Event()
    stop = state.doorbell.listen(bell, lambda _: wake.set()) if bell else None
    failures = 0
    try:
        while True:
            wake.clear()
            try:
                found = await work()
                failures = 0
            except Exception:
                failures += 1
                log.exception("a loop failed", failures=failures)
                ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** min(failures, 10))
                await asyncio.sleep(ceiling * (0.5 + random.random() / 2))  # noqa: S311
                continue
            if found:
                await asyncio.sleep(0)
                continue
            await wait_until(wake, seconds)
    finally:
        if stop is not None:
            stop()
