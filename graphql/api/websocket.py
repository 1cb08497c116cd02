"""Subscriptions, queries and mutations over WebSocket, by the protocol `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType

from api.context import Context
from api.errors import format_error, unauthenticated
from api.frames import EXTENSION, FramesProtocol
from api.http import Api, error_body
from api.outlet import AsgiOutlet, FrameOutlet, Gone, Outlet
from api.permission import still_holds
from api.read_request import HttpProblem, parse_json
from api.run_request import run_request
from api.subscribe import open_stream
from app.tasks import end_tasks
from domain.identity import Principal

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS_MAX = 10.0
FAREWELL_SECONDS_MAX = 2.0
INVALID, UNAUTHORIZED, FORBIDDEN, INIT_TIMEOUT = 4400, 4401, 4403, 4408
DUPLICATE, TOO_MANY_INITS, TOO_MANY = 4409, 4429, 4430
BROKEN = 1011
log = structlog.get_logger()


class Closed(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """One client. Each subscription is a task; the reader below is the connection's own.

    `frames` is the server's protocol when it is ours: a short way out, and the power to cut it off.
    """

    __slots__ = (
        "_api",
        "_authorization",
        "_farewell",
        "_frames",
        "_init_deadline",
        "_receive",
        "_send",
        "_tasks",
        "principal",
    )

    def __init__(self, api: Api, receive: Any, send: Any, frames: FramesProtocol | None) -> None:
        self._api = api
        self._receive = receive
        self._send = send
        self._frames = frames
        self._authorization = ""
        self._init_deadline: asyncio.Timeout | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.principal: Principal | None = None

    async def serve(self) -> None:
        """Read messages until either side leaves."""
        self._init_deadline = asyncio.timeout(INIT_SECONDS_MAX)
        try:
            async with self._init_deadline:
                while (message := await self._receive())["type"] != "websocket.disconnect":
                    await self._handle(message)
        except Closed as closed:
            await self._close(closed.code, str(closed))
        except Exception as error:
            if isinstance(error, TimeoutError) and self._init_deadline.expired():
                await self._close(INIT_TIMEOUT, "Connection initialisation timeout")
            else:
                log.exception("a connection failed")
                await self._close(BROKEN, "Internal error")
        finally:
            await self._end_all()
            if self._farewell is not None:
                await end_tasks(self._farewell)

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(Exception):
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _handle(self, message: dict[str, Any]) -> None:
        try:
            data = parse_json(message.get("text") or message.get("bytes") or b"")
            handler = _HANDLERS[data["type"]]
        except (HttpProblem, GraphQLError, KeyError, TypeError):
            raise Closed(INVALID, "Invalid message") from None
        await handler(self, data)

    async def _init(self, data: dict[str, Any]) -> None:
        if self.principal is not None:
            raise Closed(TOO_MANY_INITS, "Too many initialisation requests")
        payload = data.get("payload")
        given = {str(k).lower(): v for k, v in payload.items()} if isinstance(payload, dict) else {}
        self._authorization = str(given.get("authorization", ""))
        self.principal = await self._api.state.authenticator.authenticate(self._authorization)
        if self.principal is None:
            raise Closed(FORBIDDEN, "Forbidden")
        assert self._init_deadline is not None
        self._init_deadline.reschedule(None)
        await self._text(b'{"type":"connection_ack"}')

    async def _ping(self, _: dict[str, Any]) -> None:
        await self._text(b'{"type":"pong"}')

    async def _ignore(self, _: dict[str, Any]) -> None: ...

    async def _subscribe(self, data: dict[str, Any]) -> None:
        if self.principal is None:
            raise Closed(UNAUTHORIZED, "Unauthorized")
        key = data.get("id")
        if not isinstance(key, str) or not key or len(key) > 128:
            raise Closed(INVALID, "Invalid message")
        if key in self._tasks:
            raise Closed(DUPLICATE, f"Subscriber for {key} already exists")
        if len(self._tasks) >= self._api.state.settings.subscriptions_per_connection_max:
            raise Closed(TOO_MANY, "Too many subscriptions on one connection")
        self._tasks[key] = asyncio.create_task(self._run(key, data.get("payload"), self.principal), name="ws operation")

    async def _complete(self, data: dict[str, Any]) -> None:
        task = self._tasks.pop(str(data.get("id")), None)
        if task is not None:
            task.cancel()

    async def _run(self, key: str, body: Any, principal: Principal) -> None:
        context = Context(self._api.state, principal, uuid.uuid4().hex)
        try:
            await self._execute(key, body, context)
        except Gone:
            return
        except Exception as error:
            errors = orjson.loads(error_body(error, context.request_id)[0])["errors"]
            with contextlib.suppress(OSError):  # the client may have left
                await self._text(orjson.dumps({"id": key, "type": "error", "payload": errors}))
        finally:
            if self._tasks.get(key) is asyncio.current_task():
                del self._tasks[key]

    async def _execute(self, key: str, body: Any, context: Context) -> None:
        operation, variables = self._api.prepare(body, context.principal)
        head = b'{"id":' + orjson.dumps(key) + b',"type":"next","payload":'
        if operation.kind is not OperationType.SUBSCRIPTION:
            answer = await run_request(self._api, operation, variables, context)
            await self._text(head + orjson.dumps(answer, default=str) + b"}")
            await self._text(orjson.dumps({"id": key, "type": "complete"}))
            return
        member = await open_stream(self._api, operation, variables, context, self._outlet(head))
        try:
            await member.run()
        finally:
            self._api.streams.leave(member)

    def _outlet(self, head: bytes) -> Outlet:
        if self._frames is not None:
            return FrameOutlet(self._frames, head, b"}")
        return AsgiOutlet(self._send, lambda payload: _text_message(head + payload + b"}"))

    async def _text(self, text: bytes) -> None:
        await self._send(_text_message(text))

    async def check_permission(self) -> None:
        """Begin to end the connection when its token does not hold any more, or shows something else than it did."""
        if self.principal is None or self._farewell is not None:
            return
        if not await still_holds(self._api.state.authenticator, self._authorization, self.principal):
            self._farewell = asyncio.create_task(self._forbid(), name="ws farewell")

    async def _forbid(self) -> None:
        """End the streams, say why, and close; a client that does not listen is cut off."""
        keys = list(self._tasks)
        await self._end_all()
        errors = [format_error(unauthenticated(), "")]
        try:
            async with asyncio.timeout(FAREWELL_SECONDS_MAX):
                for key in keys:
                    await self._text(orjson.dumps({"id": key, "type": "error", "payload": errors}))
                await self._send({"type": "websocket.close", "code": FORBIDDEN, "reason": "Forbidden"})
        except OSError:  # TimeoutError is one
            if self._frames is not None:
                self._frames.abort()

    async def _end_all(self) -> None:
        await end_tasks(*self._tasks.values())


_HANDLERS = {
    "connection_init": Connection._init,
    "ping": Connection._ping,
    "pong": Connection._ignore,
    "subscribe": Connection._subscribe,
    "complete": Connection._complete,
}


def _text_message(text: bytes) -> dict[str, Any]:
    return {"type": "websocket.send", "text": text.decode()}


class WebSocketEndpoint:
    """The ASGI application at `/graphql` for WebSocket."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._connections: set[Connection] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if PROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        connection = Connection(self._api, receive, send, scope.get("extensions", {}).get(EXTENSION))
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    async def watch_permissions(self) -> None:
        """Check every live connection's token again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._api.state.settings.reauthorize_seconds)
            for connection in list(self._connections):
                try:
                    await connection.check_permission()
                except Exception:
                    log.exception("a connection's permission cannot be checked")
