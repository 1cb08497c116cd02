"""Raw ways to speak to the application in process: a WebSocket, and HTTP message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from app.tasks import end_tasks
from tests.within import within

PROTOCOL = "graphql-transport-ws"


class Socket:
    """A client's end of a WebSocket."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.to_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, **message: Any) -> None:
        await self.to_app.put({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    async def read(self) -> dict[str, Any]:
        """The next message; how it was closed, if it was."""
        message = await within(10, self.to_client.get())
        return orjson.loads(message["text"]) if message["type"] == "websocket.send" else message

    async def ask(self, query: str, variables: dict[str, Any] | None = None, key: str = "1") -> dict[str, Any]:
        await self.send(id=key, type="subscribe", payload={"query": query, "variables": variables or {}})
        return await self.read()


@asynccontextmanager
async def open_socket(app: Any, secret: str | None) -> AsyncIterator[Socket]:
    """Connected and, with a secret, initialised."""
    socket = Socket()
    scope = {"type": "websocket", "path": "/graphql", "subprotocols": [PROTOCOL], "headers": []}
    task = asyncio.create_task(app(scope, socket.to_app.get, socket.to_client.put))
    try:
        await socket.to_app.put({"type": "websocket.connect"})
        assert (await within(10, socket.to_client.get()))["type"] == "websocket.accept"
        if secret is not None:
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {secret}"})
            assert (await socket.read()) == {"type": "connection_ack"}
        yield socket
        await socket.to_app.put({"type": "websocket.disconnect", "code": 1000})
        await within(10, asyncio.wait([task]))
    finally:
        await end_tasks(task)
