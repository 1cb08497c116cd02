"""GraphQL over HTTP: POST and, for queries, GET on `/graphql`; subscriptions over SSE on the same path.

Answers follow the GraphQL-over-HTTP draft: `application/graphql-response+json` states failures in the status
too, `application/json` answers 200 to anything that is well-formed GraphQL. What is refused before it is read as
GraphQL has its status in both: 401, 405, 408, 413, 415, 429 and 503.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType

from api.context import Context
from api.directives import check_requirement
from api.documents import Documents, InvalidDocument, Operation
from api.errors import ApiError, ErrorCode, format_error, unauthenticated
from api.read_request import JSON, RESPONSE_JSON, HttpProblem, read_request, read_request_id
from api.run_request import run_request
from api.sse import stream_events
from api.streams import Streams
from app.identity.limit_rate import RateLimiter
from app.metrics import REQUESTS
from app.state import State
from app.tracing import request_span
from domain.errors import Refusal
from domain.identity import Principal, Role

EVENT_STREAM = b"text/event-stream"
STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}
ALWAYS_STATED = frozenset({401, 429, 503})
HINTS: dict[int, tuple[bytes, bytes]] = {401: (b"www-authenticate", b"Bearer")}
INTROSPECTORS = (Role.ADMIN, Role.ENGINEER)
Headers = tuple[tuple[bytes, bytes], ...]


class Api:
    """What the transports share."""

    def __init__(self, state: State, documents: Documents, streams: Streams) -> None:
        self.state = state
        self.documents = documents
        self.streams = streams
        self._rate = RateLimiter(state.settings.rate_per_second, state.settings.rate_burst)

    def prepare(self, body: Any, principal: Principal) -> tuple[Operation, dict[str, Any]]:
        """Check a request's shape, find its operation and see that it may run at all.

        Raises `HttpProblem` for what is no GraphQL request, `ApiError`, `GraphQLError` or `InvalidDocument`.
        """
        text, variables, name = _read_shape(body)
        self._check_rate(principal)
        may_introspect = self.state.settings.introspection and principal.may(INTROSPECTORS, None)
        operation = self.documents.prepare(text, name or None, variables, hints=may_introspect)
        if operation.introspects and not may_introspect:
            raise ApiError(ErrorCode.FORBIDDEN, "Introspection is for engineers and admins.")
        for field, requirement in operation.measure.guarded.items():
            check_requirement(requirement, principal, field)
        return operation, variables

    def _check_rate(self, principal: Principal) -> None:
        wait_seconds = self._rate.take(principal.id)
        if wait_seconds:
            raise RateLimited(wait_seconds)


class RateLimited(ApiError):
    """The principal's bucket is empty."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(ErrorCode.RATE_LIMITED, f"Too many operations: wait {wait_seconds:.1f} s.")
        self.wait_seconds = wait_seconds


def _read_shape(body: Any) -> tuple[str, dict[str, Any], str | None]:
    if not isinstance(body, dict):
        problem = "Batching is off: send one operation." if isinstance(body, list) else "Send a JSON object."
        raise HttpProblem(400, problem)
    text, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(text, str) or not text:
        raise HttpProblem(400, "`query` is a GraphQL document.")
    if not isinstance(variables, dict | None) or not isinstance(name, str | None):
        raise HttpProblem(400, "`variables` is an object and `operationName` a string.")
    return text, variables or {}, name


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: `status` as `application/graphql-response+json` states it."""

    content: bytes
    status: int = 200
    headers: Headers = ()
    stated: bool = False
    """Whether `application/json` states the status too."""


def refuse(error: Exception, request_id: str) -> Reply:
    """The reply to a request that was not executed."""
    if isinstance(error, HttpProblem):
        return Reply(error.body(), error.status, error.headers, stated=True)
    formatted = [format_error(one, request_id) for one in _graphql_errors(error)]
    status = STATUS.get(ErrorCode(formatted[0]["extensions"]["code"]), 400)
    headers: Headers = (HINTS[status],) if status in HINTS else ()
    if isinstance(error, RateLimited):
        headers = ((b"retry-after", str(math.ceil(error.wait_seconds)).encode()),)
    return Reply(orjson.dumps({"errors": formatted}), status, headers, stated=status in ALWAYS_STATED)


def _graphql_errors(error: Exception) -> list[GraphQLError]:
    if isinstance(error, InvalidDocument):
        return error.errors
    if isinstance(error, GraphQLError):
        return [error]
    if isinstance(error, Refusal):
        return [ApiError(ErrorCode.BAD_USER_INPUT, error.message)]
    return [GraphQLError("internal", original_error=error)]


def error_body(error: Exception, request_id: str) -> tuple[bytes, int]:
    """The response to a request that was not executed, and the status that states it."""
    reply = refuse(error, request_id)
    return reply.content, reply.status


class GraphQLEndpoint:
    """The ASGI application at `/graphql` for HTTP."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._limits = (api.state.settings.request_bytes_max, api.state.settings.request_seconds_max)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        request_id = read_request_id(headers)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        with request_span(f"{scope['method']} /graphql", headers, request_id=request_id) as traced:
            reply = await self._reply(scope, receive, send, headers, request_id)
            if reply is not None:
                modern = RESPONSE_JSON in headers.get(b"accept", b"")
                status = reply.status if modern or reply.stated else 200
                if traced is not None:
                    traced.set_attribute("http.response.status_code", status)
                await _respond(send, reply, status, modern, request_id)

    async def _reply(
        self, scope: Any, receive: Any, send: Any, headers: dict[bytes, bytes], request_id: str
    ) -> Reply | None:
        """The reply, or None when a stream was sent instead."""
        try:
            body = await read_request(scope, receive, headers, *self._limits)
            authorization = headers.get(b"authorization", b"").decode("latin-1")
            authenticator = self._api.state.authenticator
            principal = authenticator.recall(authorization) or await authenticator.authenticate(authorization)
            if principal is None:
                raise unauthenticated()
            context = Context(self._api.state, principal, request_id)
            if EVENT_STREAM not in headers.get(b"accept", b""):
                return await self._answer(scope["method"], body, context)
        except Exception as error:
            REQUESTS.labels("none", "rejected").inc()
            return refuse(error, request_id)
        await stream_events(self._api, body, context, receive, send, authorization)
        return None

    async def _answer(self, method: str, body: Any, context: Context) -> Reply:
        operation, variables = self._api.prepare(body, context.principal)
        if operation.kind is OperationType.SUBSCRIPTION:
            raise ApiError(ErrorCode.BAD_USER_INPUT, "Subscribe over WebSocket, or ask for text/event-stream.")
        if method == "GET" and operation.kind is not OperationType.QUERY:
            raise HttpProblem(405, "Only queries are allowed by GET: use POST.", (b"allow", b"POST"))
        return Reply(orjson.dumps(await run_request(self._api, operation, variables, context), default=str))


async def _respond(send: Any, reply: Reply, status: int, modern: bool, request_id: str) -> None:
    headers = [
        (b"content-type", (RESPONSE_JSON if modern else JSON) + b"; charset=utf-8"),
        (b"content-length", str(len(reply.content)).encode()),
        (b"x-request-id", request_id.encode("ascii")),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})
