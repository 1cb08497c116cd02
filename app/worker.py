"""The worker process: bounded loops that keep stock and feed in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog

from app.feed.sweep import sweep_feed
from app.logs import configure_logs
from app.settings import Settings, load_settings
from app.state import State, open_state
from app.stock.end_reservation import expire_reservations

log = structlog.get_logger()


async def _repeat(name: str, seconds: float, work: Callable[[], Awaitable[int]]) -> None:
    """Do `work` again and again; at once while it finds something, else after `seconds`."""
    while True:
        try:
            found = await work()
        except Exception:
            log.exception("a loop failed", loop=name)
            found = 0
        await asyncio.sleep(0 if found else seconds)


async def _expire(state: State) -> int:
    ended = await expire_reservations(state.database)
    if ended:
        state.doorbell.ring("feed")
    return ended


async def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_state(settings, "onhand worker") as state:
        tasks = [
            asyncio.create_task(_repeat("expire", settings.sweep_seconds, lambda: _expire(state))),
            asyncio.create_task(_repeat("feed", 10.0, lambda: sweep_feed(state.database, settings))),
        ]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    settings = load_settings()
    configure_logs(settings)
    asyncio.run(run_worker(settings))


if __name__ == "__main__":
    main()
