"""Where the payloads of a stream go: one client's connection, whatever carries it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from api.frames import FramesProtocol

STALL_SECONDS_MAX = 30.0
"""A client that takes nothing for so long is cut off."""


class Gone(Exception):
    """The client has left, or takes nothing any more and was cut off."""


class Outlet(ABC):
    """Takes payloads without waiting. Who is told that it is full drains it before the next."""

    @abstractmethod
    def write(self, payload: bytes) -> bool:
        """Take one payload. Whether the next may follow at once."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until the next may follow. Raises `Gone`."""


class FrameOutlet(Outlet):
    """Straight into the WebSocket's buffer, of which the protocol keeps the limit."""

    def __init__(self, protocol: FramesProtocol, head: bytes, tail: bytes) -> None:
        self._protocol = protocol
        self._head = head
        self._tail = tail

    def write(self, payload: bytes) -> bool:
        return self._protocol.write_text(self._head + payload + self._tail)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS_MAX):
                is_open = await self._protocol.drain()
        except TimeoutError:
            self._protocol.abort()
            is_open = False
        if not is_open:
            raise Gone


class AsgiOutlet(Outlet):
    """Through the server's `send`, which may wait: each payload fills it, so that no second one waits here."""

    def __init__(self, send: Any, message_of: Callable[[bytes], dict[str, Any]]) -> None:
        self._send = send
        self._message_of = message_of
        self._waiting: bytes | None = None

    def write(self, payload: bytes) -> bool:
        assert self._waiting is None, "drain it first"
        self._waiting = payload
        return False

    async def drain(self) -> None:
        if self._waiting is None:
            return
        try:
            async with asyncio.timeout(STALL_SECONDS_MAX):
                await self._send(self._message_of(self._waiting))
        except OSError:  # TimeoutError is one
            raise Gone from None
        self._waiting = None
