"""What streams show of events that only say that something changed: read when needed, and each time as new as that.

An event names a row and not its state. The state is read after the event was written, once for everybody who watches,
so that what is shown is never older than the event; two changes that come together may both show the second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from app.feed.hub import FeedEvent

KEPT_MAX = 20_000
_LINE = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
T = TypeVar("T")
Read = Callable[[Any, list[str]], Awaitable[Mapping[str, T]]]


class Remembered(Generic[T]):
    """Objects by the key of their events; None for what is no more.

    Args:
        database: asyncpg's pool.
        read: Reads the objects of some keys on it.
    """

    def __init__(self, database: Any, read: Read[T]) -> None:
        self._database = database
        self._read = read
        self._known: dict[str, tuple[int, T | None]] = {}

    def knows(self, event: FeedEvent) -> bool:
        """Whether what is remembered was read after the event's transaction had ended."""
        found = self._known.get(event.key)
        return found is not None and event.xid < found[0]

    def get(self, event: FeedEvent) -> T | None:
        return self._known[event.key][1]

    async def load(self, events: Iterable[FeedEvent]) -> None:
        """Read what these events need; the longest known is forgotten when there is too much."""
        keys = sorted({event.key for event in events if not self.knows(event)})
        if not keys:
            return
        line = await self._database.fetchval(_LINE)
        found = await self._read(self._database, keys)
        for key in keys:
            self._known.pop(key, None)
            self._known[key] = (line, found.get(key))
        for key in list(self._known)[: max(0, len(self._known) - KEPT_MAX)]:
            del self._known[key]
