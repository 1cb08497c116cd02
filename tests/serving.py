"""The server in this process, on a real socket: what it does to connections can be seen and slowed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from app.main import Application
from app.serve import configure_server
from app.settings import Settings
from app.state import State
from tests.within import until, within


@dataclass(slots=True)
class Serving:
    """`app` and what it shares, reached under `url`."""

    url: str
    app: Application
    server: Any

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    @property
    def state(self) -> State:
        found: State = self.app._rest.state.onhand
        return found

    @property
    def sockets(self) -> set[Any]:
        """The live connections over WebSocket."""
        found: set[Any] = self.app._websocket._connections
        return found


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Configured as `onhand serve` is, but for its signal handlers and its event loop, which are the tests'."""
    config = configure_server(settings)
    app = config.app
    assert isinstance(app, Application)
    server: Any = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server._serve([listener]))
    try:
        await until(lambda: server.started or task.done())
        yield Serving(f"http://127.0.0.1:{listener.getsockname()[1]}", app, server)
    finally:
        server.should_exit = server.force_exit = True
        await within(15, task)
