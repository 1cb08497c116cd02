"""The worker process: bounded loops that keep stock, feed, orders and channels in order."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Awaitable, Callable

import structlog

from app.channels.process_events import process_events
from app.channels.push_quantities import list_live_channels, push_quantities
from app.channels.read_back import read_back
from app.channels.relay_stock import relay_stock
from app.feed.sweep import sweep_feed
from app.logs import configure_logs
from app.settings import Settings, load_settings
from app.state import State, open_state
from app.stock.end_reservation import expire_reservations
from app.tasks import end_tasks, wait_until

PENDING_SECONDS = 0.015
RELAY_BREATH_SECONDS = 0.03
"""Between two relays: under load many changes of a SKU become one new quantity."""
READ_BACK_SECONDS = 5.0
CLEANING_SECONDS = 10.0
KEYS_MAX = 5_000
BACKOFF_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 10.0
_FORGET = """
DELETE FROM idempotency_keys WHERE (principal, key) IN (
  SELECT principal, key FROM idempotency_keys WHERE created_at < now() - make_interval(days => $1)
  ORDER BY created_at LIMIT $2)
"""
log = structlog.get_logger()
Work = Callable[[], Awaitable[int]]


async def _repeat(state: State, name: str, seconds: float, work: Work, bell: str | None = None) -> None:
    """Do `work` again and again: at once while it finds something, else on a ring or after `seconds`."""
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
                log.exception("a loop failed", loop=name, failures=failures)
                await asyncio.sleep(min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** min(failures, 10)))
                continue
            if found:
                await asyncio.sleep(0)
                continue
            await wait_until(wake, seconds)
    finally:
        if stop is not None:
            stop()


async def _expire(state: State) -> int:
    ended = await expire_reservations(state.database)
    if ended:
        state.doorbell.ring("feed")
    return ended


async def _relay(state: State) -> int:
    read, pending = await relay_stock(state)
    await asyncio.sleep(RELAY_BREATH_SECONDS if read else PENDING_SECONDS if pending else 0)
    return read or int(pending)


async def _push(state: State, owner: str) -> int:
    channels = await list_live_channels(state)
    results = await asyncio.gather(
        *(push_quantities(state, channel, owner) for channel in channels), return_exceptions=True
    )
    return _sum_up("push", results)


async def _observe(state: State) -> int:
    channels = await list_live_channels(state)
    _sum_up("read back", await asyncio.gather(*(read_back(state, one) for one in channels), return_exceptions=True))
    return 0


def _sum_up(name: str, results: list[int | BaseException]) -> int:
    """One channel's failure is logged and never stops the others."""
    for result in results:
        if isinstance(result, BaseException):
            log.warning("a channel failed", loop=name, error=repr(result))
    return sum(result for result in results if isinstance(result, int))


async def _forget_keys(state: State) -> int:
    status = await state.database.hot.execute(_FORGET, state.settings.idempotency_days, KEYS_MAX)
    return int(status.rsplit(" ", 1)[-1])


def start_loops(state: State) -> list[asyncio.Task[None]]:
    """Every loop of a worker, as tasks to be cancelled at the end."""
    settings, owner = state.settings, f"worker:{uuid.uuid4().hex}"
    loops: list[tuple[str, float, Work, str | None]] = [
        ("relay", settings.feed_poll_seconds, lambda: _relay(state), "feed"),
        ("events", settings.push_poll_seconds, lambda: process_events(state), "push"),
        ("push", settings.push_poll_seconds, lambda: _push(state, owner), "push"),
        ("read back", READ_BACK_SECONDS, lambda: _observe(state), None),
        ("expire", settings.sweep_seconds, lambda: _expire(state), None),
        ("feed", CLEANING_SECONDS, lambda: sweep_feed(state.database, settings), None),
        ("keys", CLEANING_SECONDS, lambda: _forget_keys(state), None),
    ]
    return [
        asyncio.create_task(_repeat(state, name, seconds, work, bell), name=name) for name, seconds, work, bell in loops
    ]


async def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_state(settings, "onhand worker") as state:
        tasks = start_loops(state)
        await stop.wait()
        await end_tasks(*tasks)


def main() -> None:
    settings = load_settings()
    configure_logs(settings)
    asyncio.run(run_worker(settings))


if __name__ == "__main__":
    main()
