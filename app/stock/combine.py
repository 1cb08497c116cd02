"""Commit combining: commands that arrive while a transaction is in flight share the next one.

A hot SKU would otherwise serialize one row lock, one WAL flush and five round trips per command. A lone
command runs at once and waits for nobody. If a shared transaction fails as a whole, its commands run again
one by one, so that only the one at fault sees the failure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from app.metrics import COMBINE_BATCH
from domain.errors import Fault


class Combinable(Protocol):
    """A command; two with the same `exclusive` value never share a batch."""

    @property
    def exclusive(self) -> Hashable | None: ...


C = TypeVar("C", bound=Combinable)
R = TypeVar("R")


class Combiner(Generic[C, R]):
    """Queues commands and runs them in batches, one batch in flight.

    Args:
        run: Runs a batch in one transaction; answers a result or an exception for each command, in order.
        batch_max: Commands in one transaction at the most.
        queue_max: Commands waiting at the most; past that `submit` raises a transient `Fault`.
    """

    def __init__(
        self,
        run: Callable[[Sequence[C]], Awaitable[Sequence[R | Exception]]],
        *,
        batch_max: int,
        queue_max: int,
    ) -> None:
        self._run = run
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue: deque[tuple[C, asyncio.Future[R]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def submit(self, command: C) -> R:
        """Run `command` with whatever else is waiting; returns its own result or raises its own refusal."""
        if len(self._queue) >= self._queue_max:
            raise Fault("Too many stock commands are waiting: try again in a moment.", transient=True)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="combiner")
        return await future

    async def close(self) -> None:
        """Let what is queued finish."""
        if self._task is not None:
            await self._task

    async def _drain(self) -> None:
        try:
            while self._queue:
                batch = self._take_batch()
                COMBINE_BATCH.observe(len(batch))
                await self._settle(batch)
        finally:
            self._task = None

    def _take_batch(self) -> list[tuple[C, asyncio.Future[R]]]:
        batch: list[tuple[C, asyncio.Future[R]]] = []
        aside: list[tuple[C, asyncio.Future[R]]] = []
        taken: set[Hashable] = set()
        while self._queue and len(batch) < self._batch_max:
            item = self._queue.popleft()
            mark = item[0].exclusive
            if mark is not None and mark in taken:
                aside.append(item)
                continue
            taken.add(mark)
            batch.append(item)
        self._queue.extendleft(reversed(aside))
        return batch

    async def _settle(self, batch: list[tuple[C, asyncio.Future[R]]]) -> None:
        try:
            results = await self._run([command for command, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _resolve(batch[0][1], error)
                return
            for item in batch:
                await self._settle([item])
            return
        for (_, future), result in zip(batch, results, strict=True):
            _resolve(future, result)


def _resolve(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
