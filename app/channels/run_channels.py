"""The loops of every connected channel in one worker: two lanes of pushes, receipts, read-back, orders.

Each worker runs all of them for all channels; claims and leases in the database share the work, so that adding a
worker needs nothing but starting it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app.channels.claim_listings import Lane
from app.channels.keep_subscribed import keep_subscribed
from app.channels.mind_credentials import mind_credentials
from app.channels.observe_listings import observe_listings
from app.channels.open_channel import COLUMNS, OpenChannel
from app.channels.poll_returns import poll_returns
from app.channels.pull_orders import pull_orders
from app.channels.push_quantities import push_quantities
from app.channels.receive_messages import receive_messages
from app.channels.settle_batches import settle_batches
from app.repeat import repeat
from app.state import State
from app.tasks import end_tasks
from domain.errors import Fault

REFRESH_SECONDS = 1.0
OBSERVE_SECONDS = 2.0
SETTLE_SECONDS = 2.0
ORDERS_SECONDS = 5.0
RETURNS_SECONDS = 15.0
SUBSCRIPTIONS_SECONDS = 5.0
QUEUE_SECONDS = 0.5
THROTTLE_SECONDS_MAX = 5.0
LIVE = frozenset({"LIVE"})
TOLD = LIVE | {"PAUSED"}
SHOWN = LIVE | {"SHADOW"}
ANY = TOLD | SHOWN
"""In which status of its channel a loop runs. A paused one is told nothing, and goes on selling: orders are taken."""
_CHANNELS = f"SELECT {COLUMNS} FROM channels ORDER BY id"  # noqa: S608
Step = Callable[[OpenChannel], Awaitable[tuple[int, float]]]
log = structlog.get_logger()


async def list_channels(state: State) -> list[OpenChannel]:
    """Every connected channel whose credentials can be opened; the others are cases."""
    found, unopened = [], []
    for record in await state.database.hot.fetch(_CHANNELS):
        try:
            found.append(state.channels.open(record))
        except Fault as fault:
            unopened.append((record, fault))
    await mind_credentials(state, found, unopened)
    return found


async def run_channels(state: State, owner: str) -> None:
    """Keep the loops of each channel running, following the table, until cancelled."""
    running: dict[int, list[asyncio.Task[None]]] = {}
    current: dict[int, OpenChannel] = {}
    try:
        while True:
            try:
                channels = {channel.id: channel for channel in await list_channels(state)}
            except Exception:
                log.exception("the channels cannot be read")
                await asyncio.sleep(REFRESH_SECONDS)
                continue
            current |= channels
            for channel_id in channels.keys() - running.keys():
                if channels[channel_id].adapter is not None:
                    running[channel_id] = _start(state, current, channel_id, owner)
            await asyncio.sleep(REFRESH_SECONDS)
    finally:
        await end_tasks(*(task for tasks in running.values() for task in tasks))


def _start(state: State, current: dict[int, OpenChannel], channel_id: int, owner: str) -> list[asyncio.Task[None]]:
    """`current` always holds the channel as it is now: paused, gone live, with other credentials."""
    push_seconds = state.settings.push_poll_seconds
    loops: list[tuple[str, float, Step, str | None, frozenset[str]]] = [
        ("zero", push_seconds, lambda c: push_quantities(state, c, Lane.ZERO, f"{owner}:zero"), "push", LIVE),
        ("bulk", push_seconds, lambda c: push_quantities(state, c, Lane.BULK, f"{owner}:bulk"), "push", LIVE),
        ("settle", SETTLE_SECONDS, lambda c: settle_batches(state, c), None, TOLD),
        ("observe", OBSERVE_SECONDS, lambda c: observe_listings(state, c), None, SHOWN),
        ("queue", QUEUE_SECONDS, lambda c: receive_messages(state, c), None, ANY),
        ("orders", ORDERS_SECONDS, lambda c: pull_orders(state, c), None, ANY),
        ("returns", RETURNS_SECONDS, lambda c: poll_returns(state, c), None, ANY),
        ("subscriptions", SUBSCRIPTIONS_SECONDS, lambda c: keep_subscribed(state, c), None, SHOWN),
    ]
    code = current[channel_id].code
    tasks = []
    for name, seconds, step, bell, runs_while in loops:

        async def work(step: Step = step, runs_while: frozenset[str] = runs_while) -> int:
            channel = current[channel_id]
            if channel.status not in runs_while:
                return 0
            found, wait_seconds = await step(channel)
            if wait_seconds:
                await asyncio.sleep(min(wait_seconds, THROTTLE_SECONDS_MAX))
            return found or int(wait_seconds > 0)

        label = f"{name} {code}"
        tasks.append(asyncio.create_task(repeat(state, label, seconds, work, bell), name=label))
    return tasks


async def read_channel(state: State, code: str) -> Any:
    """The row of a channel with what opening it needs; None when there is none."""
    return await state.database.hot.fetchrow(f"SELECT {COLUMNS} FROM channels WHERE code = $1", code)  # noqa: S608
