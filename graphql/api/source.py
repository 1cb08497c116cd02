"""What a subscription field brings to the streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable
from typing import Any

from api.context import Context
from app.feed.hub import FeedEvent


class Source(ABC):
    """One subscription field: what its events are and how they become objects of the schema."""

    topic: str

    @abstractmethod
    async def prepare(self, context: Context, arguments: dict[str, Any]) -> Hashable:
        """What is watched, within what the principal may see. Raises `Refusal`."""

    @abstractmethod
    def accepts(self, watch: Any, event: FeedEvent) -> bool: ...

    @abstractmethod
    async def load(self, events: list[FeedEvent]) -> None:
        """Read what is needed to make objects of these events."""

    @abstractmethod
    def knows(self, event: FeedEvent) -> bool: ...

    @abstractmethod
    def change(self, event: FeedEvent, cursor: str) -> Any: ...

    @abstractmethod
    def snapshot(self, connection: Any, watch: Any, cursor: str, expired: bool) -> AsyncIterator[Any]: ...

    @abstractmethod
    def ready(self, cursor: str, expired: bool) -> Any: ...
