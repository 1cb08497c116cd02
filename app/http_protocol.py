"""uvicorn's HTTP protocol with a limit on how long a client may take to say what it wants."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS_MAX = 10.0


class PromptHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are not complete within `HEADER_SECONDS_MAX` of its start.

    uvicorn itself waits for ever, so that a few thousand silent connections would use up our file descriptors.
    Bodies are limited where they are read, idle connections by uvicorn's keep-alive time.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._forget()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADER_SECONDS_MAX, self.transport.close)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
