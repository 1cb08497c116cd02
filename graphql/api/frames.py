"""uvicorn's WebSocket protocol with a short way out: one text frame from bytes to the socket, without a coroutine.

Hundreds of clients get the same event, so what each delivery costs beyond the system call counts. The frame is
made here (RFC 6455, 5.2: text, final, not masked, which is all a server sends us through this door) and goes
between the frames that uvicorn writes itself, each of which is written whole.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from asyncio import BaseTransport
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "onhand.frames"
TEXT_FINAL = 0x81
SEND_BUFFER_BYTES = 131_072
"""What the system takes for a client that does not read; by itself it takes megabytes. As much waits above it."""
SHORT_MAX, MEDIUM_MAX = 125, 65_535


class FramesProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as the ASGI extension `onhand.frames`."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        extensions: Any = self.scope["extensions"]
        extensions[EXTENSION] = self
        await super().run_asgi()

    def start_keepalive(self) -> None:
        """The handshake is over: what it was made of is not kept for each idle client."""
        super().start_keepalive()
        del self.request, self.response
        self.scope["headers"] = []

    @property
    def is_open(self) -> bool:
        return not (self.disconnected or self.close_sent or self.transport.is_closing())

    def write_text(self, text: bytes) -> bool:
        """Write one frame, unless the client has left. Whether the next may follow at once."""
        if not self.is_open:
            return False
        size = len(text)
        if size <= SHORT_MAX:
            head = bytes((TEXT_FINAL, size))
        elif size <= MEDIUM_MAX:
            head = struct.pack("!BBH", TEXT_FINAL, 126, size)
        else:
            head = struct.pack("!BBQ", TEXT_FINAL, 127, size)
        self.transport.write(head + text)
        return self.writable.is_set()

    async def drain(self) -> bool:
        """Wait until the next frame may follow; whether the client is still there."""
        await self.writable.wait()
        return self.is_open

    def abort(self) -> None:
        """Cut the connection, whatever is still in its buffer."""
        self.transport.abort()

    def handle_ping(self) -> None:
        """A client that pings and never reads gets no pongs piled up: only the latest ping must be answered."""
        output = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(output)

    def keepalive_timeout(self) -> None:
        """A client that does not answer takes no farewell either: closing would wait for it to read."""
        super().keepalive_timeout()
        self.transport.abort()
