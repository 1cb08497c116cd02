"""Commit combining: commands that arrive while a transaction is in flight share the next one.

A hot SKU would otherwise serialize one row lock, one WAL flush and five round trips per command. A lone
command runs at once and waits for nobody. If a shared transaction fails as a whole, its commands run again
one by one, so that only the one at fault sees the failure.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from app.metrics import COMBINE_BATCH
from app.tracing import batch_span, current_link
from domain.errors import Fault


class Combinable(Protocol):
    """A command; two with the same `exclusive` value never share a batch."""

    @property
    def exclusive(self) -> Hashable | None: ...


C = TypeVar("C", bound=Combinable)
R = TypeVar("R")


class Item(NamedTuple, Generic[C, R]):
    """A command that waits, and the request that waits for it."""

    command: C
    future: asyncio.Future[R]
    link: Any


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
        self._queue: deque[Item[C, R]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def submit(self, command: C) -> R:
        """Run `command` with whatever else is waiting; returns its own result or raises its own refusal."""
        if len(self._queue) >= self._queue_max:
            raise Fault("Too many stock commands are waiting: try again in a moment.", transient=True)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append(Item(command, future, current_link()))
        if self._task is None:
            # In a context of its own: the batches are no part of the request that happened to come first.
            self._task = asyncio.create_task(self._drain(), name="combiner", context=contextvars.Context())
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
                with batch_span("combined batch", (item.link for item in batch), commands=len(batch)):
                    await self._settle(batch)
        finally:
            self._task = None

    def _take_batch(self) -> list[Item[C, R]]:
        batch: list[Item[C, R]] = []
        aside: list[Item[C, R]] = []
        taken: set[Hashable] = set()
        while self._queue and len(batch) < self._batch_max:
            item = self._queue.popleft()
            mark = item.command.exclusive
            if mark is not None and mark in taken:
                aside.append(item)
                continue
            taken.add(mark)
            batch.append(item)
        self._queue.extendleft(reversed(aside))
        return batch

    async def _settle(self, batch: list[Item[C, R]]) -> None:
        try:
            results = await self._run([item.command for item in batch])
        except Exception as error:
            if len(batch) == 1:
                _resolve(batch[0].future, error)
                return
            for item in batch:
                await self._settle([item])
            return
        for item, result in zip(batch, results, strict=True):
            _resolve(item.future, result)


def _resolve(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
