"""Rings that say "look at the tables": within the process at once, to the others through broadcaster."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable

import structlog
from broadcaster import Broadcast

from app.tasks import end_tasks

BELLS = ("feed", "listings", "push", "events", "tokens", "fulfillment", "partners")
"""`listings`: rows of the feed that no number published follows from, so that nobody need compute any."""
PREFIX = "onhand:"
BREATH_SECONDS = 0.01
"""Between two publications: under load one ring stands for many changes."""
Listener = Callable[[str], None]
log = structlog.get_logger()


class Doorbell:
    """Coalesces: while one publication of a bell is under way, further rings of it become one more."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._sender = uuid.uuid4().hex
        self._listeners: dict[str, list[Listener]] = {bell: [] for bell in BELLS}
        self._waiting: set[str] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Doorbell:
        await self._broadcast.connect()
        self._tasks = [asyncio.create_task(self._hear(bell), name=f"doorbell {bell}") for bell in BELLS]
        self._tasks.append(asyncio.create_task(self._publish(), name="doorbell publisher"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await end_tasks(*self._tasks)
        await self._broadcast.disconnect()

    def listen(self, bell: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the bell's name at each ring. Returns how to stop."""
        self._listeners[bell].append(listener)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._listeners[bell].remove(listener)

        return stop

    def ring(self, bell: str) -> None:
        """Tell this process now and the others soon. Never waits and never fails.

        A ring says what to look at and nothing more: several of them may reach the others as one.
        """
        self._call(bell)
        self._waiting.add(bell)
        self._wake.set()

    def _call(self, bell: str) -> None:
        for listener in list(self._listeners[bell]):
            try:
                listener(bell)
            except Exception:
                log.exception("a doorbell listener failed", bell=bell)

    async def _publish(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, set()
            for bell in waiting:
                await self._broadcast.publish(PREFIX + bell, self._sender)
            await asyncio.sleep(BREATH_SECONDS)

    async def _hear(self, bell: str) -> None:
        async with self._broadcast.subscribe(PREFIX + bell) as subscriber:
            while True:
                ring = await subscriber.get()
                if ring.message != self._sender:  # our own rang here at once
                    self._call(bell)
