"""Every API call passes here: late or broken on command, authenticated, counted, handled, and perhaps cut off."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.ebay.count_calls import count_call
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.issue_tokens import TokenKind, Tokens
from adapters.sandbox.ebay.refuse import SYSTEM_ERRORS, ApiError
from adapters.sandbox.ebay.state import State
from adapters.sandbox.respond import CutResponse, JsonResponse

BODY_BYTES_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the door. `body` is the JSON sent, None when there was none."""

    path: dict[str, Any]
    query: dict[str, str]
    body: Any
    kind: TokenKind
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` None: no body at all."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def render(self) -> Response:
        if self.body is None:
            return Response(status_code=self.status, headers=self.headers)
        return JsonResponse(self.body, self.status, self.headers)


Handler = Callable[[Call], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Door:
    state: State
    faults: Faults
    tokens: Tokens

    def guard(self, api: str, handler: Handler, *kinds: TokenKind) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint of `api` for holders of one of these kinds of token."""

        async def endpoint(request: Request) -> Response:
            await request.body()  # heard to the end, whatever is answered
            late = self.faults.strike(FaultKind.LATENCY)
            if late:
                await asyncio.sleep(late.seconds)
            try:
                answer = await self._answer(api, handler, request, kinds)
            except ApiError as error:
                answer = Answer({"errors": [error.error]}, error.status)
            done = request.method != "GET" and answer.status < 400
            if done and self.faults.strike(FaultKind.LOST_REPLY):
                return CutResponse()
            response = answer.render()
            response.headers["X-EBAY-C-REQUEST-ID"] = str(uuid.uuid4())
            return response

        return endpoint

    async def _answer(self, api: str, handler: Handler, request: Request, kinds: tuple[TokenKind, ...]) -> Answer:
        kind = self._authenticate(request, kinds)
        if self.faults.strike(FaultKind.SERVER_ERROR):
            raise ApiError(500, SYSTEM_ERRORS[api], "A system error has occurred.")
        if self.faults.strike(FaultKind.LIMIT_EXCEEDED) or not count_call(self.state, api):
            raise ApiError(429, 2001, "Too many requests. The request limit has been reached for the resource.")
        call = Call(
            dict(request.path_params), dict(request.query_params), await _read_json(request), kind, str(request.url)
        )  # fmt: skip
        answer = handler(call)
        return await answer if inspect.isawaitable(answer) else answer

    def _authenticate(self, request: Request, kinds: tuple[TokenKind, ...]) -> TokenKind:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ApiError(401, 1002, "Missing access token. Check the value of the Authorization HTTP request header.")
        revoked = next((k for k in (FaultKind.TOKEN_EXPIRED, FaultKind.TOKEN_EXPIRED_403) if self.faults.strike(k)), "")
        if revoked:
            self.tokens.revoke(token)
        kind = self.tokens.find(token)
        if kind is None:
            status = 403 if revoked is FaultKind.TOKEN_EXPIRED_403 else 401
            raise ApiError(status, 1001, "Invalid access token. Check the value of the Authorization HTTP header.")
        if kind not in kinds:
            raise ApiError(403, 1100, "Access denied. Insufficient permissions to fulfill the request.")
        return kind


async def _read_json(request: Request) -> Any:
    body = await request.body()
    if not body:
        return None
    if len(body) > BODY_BYTES_MAX:
        raise ApiError(400, 2004, "Invalid request. The request is too large.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ApiError(400, 2004, "Invalid request. The request has errors.") from None


def read_whole(value: str | None, default: int) -> int | None:
    """A query parameter that is a whole number from 0; None when it is something else."""
    if value is None:
        return default
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
