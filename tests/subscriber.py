"""A raw WebSocket subscription, cheap enough to run hundreds of them beside the server they load.

No library: a handshake, one `subscribe`, and frames cut out of a buffer. Server frames are neither masked,
compressed nor fragmented, which is all that needs to be understood here.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

HANDSHAKE_SECONDS_MAX = 20.0
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
OnMessage = Callable[[bytes], None]


class Subscriber(asyncio.Protocol):
    """One connection with one subscription; `on_message` gets each text message after the acknowledgement."""

    def __init__(self, path: str, host: str, token: str, subscribe: bytes, on_message: OnMessage) -> None:
        self._head = _handshake(path, host)
        self._init = make_frame(TEXT, orjson.dumps({"type": "connection_init", "payload": {"authorization": token}}))
        self._subscribe = subscribe
        self._on_message = on_message
        self._buffer = b""
        self._take = self._take_head
        self.transport: asyncio.Transport | None = None
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_exception(ConnectionResetError("lost before it was acknowledged"))
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._take(self._buffer + data if self._buffer else data)

    def abort(self) -> None:
        """Leave without a word."""
        assert self.transport is not None
        self.transport.abort()

    def pause(self) -> None:
        """Stop reading: the server's buffer towards us fills up."""
        assert self.transport is not None
        self.transport.pause_reading()

    def resume(self) -> None:
        assert self.transport is not None
        self.transport.resume_reading()

    def _take_head(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        assert self.transport is not None
        assert head.startswith(b"HTTP/1.1 101"), head
        self.transport.write(self._init)
        self._take = self._take_acknowledgement
        return self._take(rest) if rest else b""

    def _take_acknowledgement(self, data: bytes) -> bytes:
        frame = cut_frame(data, 0)
        if frame is None:
            return data
        opcode, message, end = frame
        assert self.transport is not None
        if opcode != TEXT or message != b'{"type":"connection_ack"}':
            self.transport.abort()
            return b""
        self.acknowledged.set_result(None)
        self.transport.write(self._subscribe)
        self._take = self._take_frames
        return self._take(data[end:]) if len(data) > end else b""

    def _take_frames(self, data: bytes) -> bytes:
        start = 0
        while (frame := cut_frame(data, start)) is not None:
            opcode, message, start = frame
            if opcode == TEXT:
                self._on_message(message)
            else:
                self._answer(opcode, message)
        return data[start:]

    def _answer(self, opcode: int, message: bytes) -> None:
        assert self.transport is not None
        if opcode == PING:
            self.transport.write(make_frame(PONG, message))
        elif opcode == CLOSE:
            self.transport.close()


def encode_subscribe(query: str, variables: dict[str, Any], key: str = "1") -> bytes:
    """The frame that subscribes; the same for every client that asks the same."""
    body = {"query": query, "variables": variables}
    return make_frame(TEXT, orjson.dumps({"id": key, "type": "subscribe", "payload": body}))


async def subscribe(url: str, token: str, frame: bytes, on_message: OnMessage) -> Subscriber:
    """Connect and subscribe. Raises `OSError` or `TimeoutError` when it was not acknowledged."""
    parts = urlsplit(url)
    made: Subscriber
    async with asyncio.timeout(HANDSHAKE_SECONDS_MAX):
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Subscriber(parts.path, parts.netloc, f"Bearer {token}", frame, on_message),
            parts.hostname or "",
            parts.port or 80,
        )
        try:
            await made.acknowledged
        except BaseException:
            made.abort()
            raise
    return made


def _handshake(path: str, host: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    ).encode()


def make_frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros, which leave the payload as it is (RFC 6455, 5.3)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


def cut_frame(data: bytes, start: int) -> tuple[int, bytes, int] | None:
    """Opcode, payload and end of the frame at `start`; None while it is not whole."""
    if len(data) < start + 2:
        return None
    size, begin = data[start + 1], start + 2
    if size >= 126:
        wide = 2 if size == 126 else 8
        if len(data) < begin + wide:
            return None
        size = int.from_bytes(data[begin : begin + wide], "big")
        begin += wide
    end = begin + size
    if len(data) < end:
        return None
    return data[start] & 0x0F, data[begin:end], end
