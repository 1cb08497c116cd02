"""GraphQL over HTTP: POST and, for queries, GET on `/graphql`; subscriptions over SSE on the same path.

Answers follow the GraphQL-over-HTTP draft: `application/graphql-response+json` states failures in the status
too, `application/json` answers 200 to anything that is well-formed GraphQL.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from graphql import GraphQLError, OperationType

from api.compile_operation import run_operation
from api.context import Context
from api.documents import Documents, InvalidDocument, Operation
from api.errors import ApiError, ErrorCode, format_error, unauthenticated
from api.schema import REQUIREMENTS, core
from api.sse import stream_events
from api.streams import Streams
from app.metrics import REQUEST_SECONDS, REQUESTS
from app.state import State
from domain.errors import Refusal
from domain.identity import Principal, Role

JSON, RESPONSE_JSON, EVENT_STREAM = (
    b"application/json",
    b"application/graphql-response+json",
    b"text/event-stream",
)
STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}
INTROSPECTORS = (Role.ADMIN, Role.ENGINEER)
log = structlog.get_logger()


@dataclass(slots=True)
class Api:
    """What the transports share."""

    state: State
    documents: Documents
    streams: Streams

    def prepare(self, body: Any, principal: Principal) -> tuple[Operation, dict[str, Any]]:
        """Check a request's shape, find its operation and see that it may run at all.

        Raises `GraphQLError` or `InvalidDocument`.
        """
        if not isinstance(body, dict):
            problem = "Batching is off: send one operation." if isinstance(body, list) else "Send a JSON object."
            raise ApiError(ErrorCode.BAD_USER_INPUT, problem)
        text, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
        if not isinstance(text, str) or not text:
            raise ApiError(ErrorCode.BAD_USER_INPUT, "`query` is a GraphQL document.")
        if not isinstance(variables, dict | None) or not isinstance(name, str | None):
            raise ApiError(ErrorCode.BAD_USER_INPUT, "`variables` is an object and `operationName` a string.")
        operation = self.documents.prepare(text, name or None, variables or {})
        if operation.introspects and not (self.state.settings.introspection and principal.may(INTROSPECTORS, None)):
            raise ApiError(ErrorCode.FORBIDDEN, "Introspection is for engineers and admins.")
        return operation, variables or {}


def error_body(error: Exception, request_id: str) -> tuple[bytes, int]:
    """The response to a request that was not executed, and the status that states it."""
    if isinstance(error, InvalidDocument):
        errors: list[GraphQLError] = error.errors
    elif isinstance(error, GraphQLError):
        errors = [error]
    elif isinstance(error, Refusal):
        errors = [ApiError(ErrorCode.BAD_USER_INPUT, error.message)]
    else:
        errors = [GraphQLError("internal", original_error=error)]
    formatted = [format_error(one, request_id) for one in errors]
    code = ErrorCode(formatted[0]["extensions"]["code"])
    return orjson.dumps({"errors": formatted}), STATUS.get(code, 400)


class GraphQLEndpoint:
    """The ASGI application at `/graphql` for HTTP."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._bytes_max = api.state.settings.request_bytes_max
        self._seconds_max = api.state.settings.request_seconds_max

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1")[:100] or uuid.uuid4().hex
        accept = headers.get(b"accept", b"")
        modern = RESPONSE_JSON in accept
        try:
            body = await self._read(scope, receive, headers)
        except _HttpProblem as problem:
            await _respond(send, problem.body(), problem.status, modern, request_id)
            return
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        authenticator = self._api.state.authenticator
        principal = authenticator.recall(authorization) or await authenticator.authenticate(authorization)
        if principal is None:
            content, status = error_body(unauthenticated(), request_id)
            await _respond(send, content, status, modern, request_id)
            return
        context = Context(self._api.state, principal, request_id)
        if EVENT_STREAM in accept:
            await stream_events(self._api, body, context, receive, send, authorization)
            return
        content, status = await self._answer(scope["method"], body, context)
        await _respond(send, content, status if modern or status in (405, 503) else 200, modern, request_id)

    async def _answer(self, method: str, body: Any, context: Context) -> tuple[bytes, int]:
        started = time.perf_counter()
        name = "invalid"
        try:
            operation, variables = self._api.prepare(body, context.principal)
            name = operation.name
            if operation.kind is OperationType.SUBSCRIPTION:
                raise ApiError(ErrorCode.BAD_USER_INPUT, "Subscribe over WebSocket, or ask for text/event-stream.")
            if method == "GET" and operation.kind is not OperationType.QUERY:
                raise ApiError(ErrorCode.BAD_USER_INPUT, "Only queries are allowed by GET: use POST.")
            async with asyncio.timeout(self._seconds_max):
                result = await run_operation(core, operation, variables, context, REQUIREMENTS)
        except TimeoutError:
            error = ApiError(ErrorCode.UNAVAILABLE, f"Not done within {self._seconds_max:g} s: ask for less at once.")
            return error_body(error, context.request_id)
        except (GraphQLError, InvalidDocument, Refusal) as error:
            REQUESTS.labels(name, "rejected").inc()
            return error_body(error, context.request_id)
        except Exception as error:
            REQUESTS.labels(name, "error").inc()
            return error_body(error, context.request_id)
        REQUEST_SECONDS.labels(name).observe(time.perf_counter() - started)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [format_error(error, context.request_id) for error in result.errors]
        REQUESTS.labels(name, "error" if result.errors else "ok").inc()
        return orjson.dumps(answer, default=str), 200

    async def _read(self, scope: Any, receive: Any, headers: dict[bytes, bytes]) -> Any:
        if scope["method"] == "GET":
            return _from_query(scope["query_string"])
        if scope["method"] != "POST":
            raise _HttpProblem(405, "Use POST, or GET for queries.")
        if not headers.get(b"content-type", b"").lower().startswith((JSON, RESPONSE_JSON)):
            raise _HttpProblem(415, "Send application/json.")
        raw = await self._read_body(receive)
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise _HttpProblem(400, f"The body is no JSON: {error}.") from None

    async def _read_body(self, receive: Any) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body") and len(body) <= self._bytes_max:
            return body
        chunks, size = [body], len(body)
        while message.get("more_body"):
            if size > self._bytes_max:
                raise _HttpProblem(413, f"A request has at most {self._bytes_max} bytes.")
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > self._bytes_max:
            raise _HttpProblem(413, f"A request has at most {self._bytes_max} bytes.")
        return b"".join(chunks)


class _HttpProblem(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def body(self) -> bytes:
        return orjson.dumps(
            {"errors": [{"message": str(self), "extensions": {"code": ErrorCode.BAD_USER_INPUT.value}}]}
        )


def _from_query(query: bytes) -> dict[str, Any]:
    given = {name: values[-1] for name, values in parse_qs(query.decode("latin-1")).items()}
    body: dict[str, Any] = {"query": given.get("query"), "operationName": given.get("operationName")}
    try:
        body["variables"] = orjson.loads(given["variables"]) if given.get("variables") else None
    except orjson.JSONDecodeError:
        raise _HttpProblem(400, "`variables` is no JSON.") from None
    return body


async def _respond(send: Any, content: bytes, status: int, modern: bool, request_id: str) -> None:
    kind = RESPONSE_JSON if modern else JSON
    headers = [
        (b"content-type", kind + b"; charset=utf-8"),
        (b"content-length", str(len(content)).encode()),
        (b"x-request-id", request_id.encode("latin-1")),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
