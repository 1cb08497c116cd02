"""Subscriptions, queries and mutations over WebSocket, by the protocol `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType

from api.context import Context
from api.documents import InvalidDocument
from api.errors import format_error, unauthenticated
from api.http import Api, error_body
from api.read_request import HttpProblem, parse_json
from api.run_request import run_request
from api.streams import Member
from api.subscribe import open_stream
from domain.errors import Refusal
from domain.identity import Principal

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS_MAX = 10.0
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
    """One client. Each subscription is a task; the reader below is the connection's own."""

    def __init__(self, api: Api, receive: Any, send: Any) -> None:
        self._api = api
        self._receive = receive
        self._send = send
        self._authorization = ""
        self.principal: Principal | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._members: dict[str, Member] = {}
        self._handlers: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, None]]] = {
            "connection_init": self._init,
            "ping": self._ping,
            "pong": self._ignore,
            "subscribe": self._subscribe,
            "complete": self._complete,
        }

    async def serve(self) -> None:
        """Read messages until either side leaves."""
        watch = asyncio.current_task()
        assert watch is not None
        timer = asyncio.get_running_loop().call_later(INIT_SECONDS_MAX, self._init_late)
        try:
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self._handle(message)
        except Closed as closed:
            with contextlib.suppress(Exception):
                await self._send({"type": "websocket.close", "code": closed.code, "reason": str(closed)})
        except Exception:
            log.exception("a connection failed")
            await self._close(BROKEN, "Internal error")
        finally:
            timer.cancel()
            await self._end_all()

    def _init_late(self) -> None:
        if self.principal is None:
            asyncio.ensure_future(self._close(INIT_TIMEOUT, "Connection initialisation timeout"))  # noqa: RUF006

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(Exception):
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _handle(self, message: dict[str, Any]) -> None:
        try:
            data = parse_json(message.get("text") or message.get("bytes") or b"")
            handler = self._handlers[data["type"]]
        except (HttpProblem, GraphQLError, KeyError, TypeError):
            raise Closed(INVALID, "Invalid message") from None
        await handler(data)

    async def _init(self, data: dict[str, Any]) -> None:
        if self.principal is not None:
            raise Closed(TOO_MANY_INITS, "Too many initialisation requests")
        payload = data.get("payload")
        given = {str(k).lower(): v for k, v in payload.items()} if isinstance(payload, dict) else {}
        self._authorization = str(given.get("authorization", ""))
        self.principal = await self._api.state.authenticator.authenticate(self._authorization)
        if self.principal is None:
            raise Closed(FORBIDDEN, "Forbidden")
        await self._text('{"type":"connection_ack"}')

    async def _ping(self, _: dict[str, Any]) -> None:
        await self._text('{"type":"pong"}')

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
        except (GraphQLError, HttpProblem, InvalidDocument, Refusal) as error:
            errors = orjson.loads(error_body(error, context.request_id)[0])["errors"]
            await self._text(orjson.dumps({"id": key, "type": "error", "payload": errors}).decode())
        except Exception as error:
            errors = orjson.loads(error_body(error, context.request_id)[0])["errors"]
            with contextlib.suppress(OSError):  # the client may be what failed
                await self._text(orjson.dumps({"id": key, "type": "error", "payload": errors}).decode())
        finally:
            self._tasks.pop(key, None)

    async def _execute(self, key: str, body: Any, context: Context) -> None:
        operation, variables = self._api.prepare(body, context.principal)
        head = '{"id":' + orjson.dumps(key).decode() + ',"type":"next","payload":'
        if operation.kind is not OperationType.SUBSCRIPTION:
            answer = await run_request(self._api, operation, variables, context)
            await self._text(head + orjson.dumps(answer, default=str).decode() + "}")
            await self._text(orjson.dumps({"id": key, "type": "complete"}).decode())
            return

        send = self._send

        async def write(payload: str) -> None:
            await send({"type": "websocket.send", "text": head + payload + "}"})

        member = await open_stream(self._api, operation, variables, context, write)
        self._members[key] = member
        try:
            await member.run()
        finally:
            self._members.pop(key, None)
            self._api.streams.leave(member)

    async def _text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def check_permission(self) -> None:
        """End the connection when its token does not hold any more, or shows less than it did."""
        if self.principal is None:
            return
        now = await self._api.state.authenticator.authenticate(self._authorization)
        if now is not None and (now.roles, now.scopes, now.warehouse_ids, now.channel_ids) == (
            self.principal.roles,
            self.principal.scopes,
            self.principal.warehouse_ids,
            self.principal.channel_ids,
        ):
            return
        errors = [format_error(unauthenticated(), "")]
        with contextlib.suppress(Exception):
            for key in list(self._tasks):
                await self._text(orjson.dumps({"id": key, "type": "error", "payload": errors}).decode())
        await self._end_all()
        await self._close(FORBIDDEN, "Forbidden")

    async def _end_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
        connection = Connection(self._api, receive, send)
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
                await connection.check_permission()
