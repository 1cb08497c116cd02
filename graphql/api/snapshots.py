"""Snapshots for a group of members: those who ask at the same time share one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.cursor import UNFINISHED, Cursor

if TYPE_CHECKING:
    from api.streams import Group

SLICE = 50
"""Objects encoded before the event loop gets its turn."""


@dataclass(frozen=True, slots=True)
class TakenSnapshot:
    """Encoded SNAPSHOT events, then READY with the `cursor` from which on changes follow."""

    cursor: Cursor
    payloads: list[bytes]


class Snapshots:
    """Reads one at a time. Who asks while one is being read gets the next, so it never is older than the question."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._lock = asyncio.Lock()
        self._next: dict[bool, asyncio.Task[TakenSnapshot]] = {}

    async def take(self, expired: bool) -> TakenSnapshot:
        """`expired`: whether its events say that the cursor has expired."""
        task = self._next.get(expired)
        if task is None:
            task = self._next[expired] = asyncio.create_task(self._read(expired), name="stream snapshot")
            task.add_done_callback(_look_at)
        return await asyncio.shield(task)

    async def _read(self, expired: bool) -> TakenSnapshot:
        source, encode = self._group.source, self._group.encode
        try:
            await self._lock.acquire()
        finally:
            del self._next[expired]
        try:
            async with self._group.hub.take_snapshot() as (connection, cursor):
                payloads: list[bytes] = []
                # Their cursor goes on nowhere: who has a part of a snapshot needs a whole one.
                async for item in source.snapshot(connection, self._group.watch, UNFINISHED, expired):
                    payloads.append(encode(item))
                    if len(payloads) % SLICE == 0:
                        await asyncio.sleep(0)
            payloads.append(encode(source.ready(str(cursor), expired)))
            return TakenSnapshot(cursor, payloads)
        finally:
            self._lock.release()


def _look_at(task: asyncio.Task[TakenSnapshot]) -> None:
    """Whoever waited has its outcome; when all have left, a failure is nobody's."""
    if not task.cancelled():
        task.exception()
