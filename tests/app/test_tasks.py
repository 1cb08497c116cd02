"""Ending background work: no cancellation is lost, whatever it races with."""

from __future__ import annotations

import asyncio

from app.tasks import end_tasks, wait_until


async def test_a_cancellation_that_meets_its_event_is_not_lost() -> None:
    event = asyncio.Event()

    async def loop() -> None:
        while True:
            await wait_until(event, 60)
            event.clear()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    event.set()
    task.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_waiting_says_whether_the_event_came() -> None:
    event = asyncio.Event()
    assert not await wait_until(event, 0.01)
    event.set()
    assert await wait_until(event, 0.01)


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert task.cancelled()
    assert swallowed == 2
