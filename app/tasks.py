"""Ending background tasks for certain."""

from __future__ import annotations

import asyncio

import structlog

ATTEMPTS_MAX = 5
ATTEMPT_SECONDS = 1.0
log = structlog.get_logger()


async def end_tasks(*tasks: asyncio.Task[None]) -> None:
    """Cancel and wait. One that swallowed its cancellation is cancelled again, and at last left behind and logged."""
    pending = set(tasks)
    for _ in range(ATTEMPTS_MAX):
        for task in pending:
            task.cancel()
        if pending:
            _, pending = await asyncio.wait(pending, timeout=ATTEMPT_SECONDS)
        if not pending:
            return
    log.error("tasks would not end", tasks=[task.get_name() for task in pending])


async def wait_until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, `seconds` at most; whether it came.

    `asyncio.wait_for` loses a cancellation that arrives together with the event (Python before 3.12), and whoever
    cancelled then waits for ever: `asyncio.timeout` does not.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
