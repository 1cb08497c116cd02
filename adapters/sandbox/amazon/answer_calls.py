"""Every API call's way in: token, quota, faults, then the work; and its way out, with the vendor's headers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.amazon.config import LIMITS
from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import now
from adapters.sandbox.amazon.work_off import work_off
from adapters.sandbox.respond import CutResponse, JsonResponse

BODY_BYTES_MAX = 1_000_000
RATED_STATUSES = frozenset({200, 201, 202, 204, 400, 404})


class ApiError(Exception):
    """An answer in the vendor's form of an error."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message, "details": details}]}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read. `query`: single values; lists are comma-separated in them."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    base_url: str

    def list_of(self, name: str) -> list[str]:
        return [entry for entry in self.query.get(name, "").split(",") if entry]

    def read_object(self) -> dict[str, Any]:
        """Raises ApiError 400."""
        try:
            raw = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raw = None
        if not isinstance(raw, dict):
            raise ApiError(400, "InvalidInput", "Request has missing or invalid parameters and cannot be parsed.")
        return raw


@dataclass(slots=True)
class Bucket:
    """Tokens are added as time passes. `clock` in seconds."""

    rate: float
    burst: float
    tokens: float
    clock: Callable[[], float] = time.monotonic
    filled_at: float = 0.0

    def take(self) -> bool:
        moment = self.clock()
        self.tokens = min(self.burst, self.tokens + (moment - self.filled_at) * self.rate)
        self.filled_at = moment
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


Work = Callable[[Market, Call], dict[str, Any] | None]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Gate:
    """One bucket per operation: the sandbox has one seller and one application."""

    market: Market
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation, limit in {**LIMITS, **self.market.config.limits}.items():
            self.buckets[operation] = Bucket(limit.rate, limit.burst, limit.burst, filled_at=time.monotonic())

    def open(self, operation: str, work: Work, *, success: int = 200, commits: bool = False) -> Endpoint:
        """`commits`: it changes something, so its reply may be lost after the fact."""

        async def answer(request: Request) -> Response:
            late = self.market.faults.strike(FaultKind.LATENCY)
            if late:
                await asyncio.sleep(late.seconds)
            try:
                self._admit(operation, request)
                content = work(self.market, await _read_call(request))
            except ApiError as error:
                return self._finish(operation, JsonResponse(error.body, error.status))
            if commits and self.market.faults.strike(FaultKind.LOST_REPLY):
                return CutResponse(content)
            return self._finish(operation, JsonResponse(content, success))

        return answer

    def _admit(self, operation: str, request: Request) -> None:
        """Raises ApiError 403, 429, 500 or 503."""
        work_off(self.market)
        faults = self.market.faults
        if faults.strike(FaultKind.TOKEN_EXPIRED):
            self.market.tokens.clear()
        if self.market.tokens.get(request.headers.get("x-amz-access-token", ""), 0.0) <= now():
            details = "The access token you provided has expired."
            raise ApiError(403, "Unauthorized", "Access to requested resource is denied.", details)
        if faults.strike(FaultKind.THROTTLED) or not self.buckets[operation].take():
            self.market.throttled[operation] = self.market.throttled.get(operation, 0) + 1
            raise ApiError(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
        if faults.strike(FaultKind.SERVER_ERROR):
            raise ApiError(500, "InternalFailure", "We encountered an internal error. Please try again.")
        if faults.strike(FaultKind.UNAVAILABLE):
            raise ApiError(503, "ServiceUnavailable", "Service is temporarily unavailable. Please try again.")
        self.market.calls[operation] = self.market.calls.get(operation, 0) + 1

    def _finish(self, operation: str, response: JsonResponse) -> Response:
        response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        if response.status_code in RATED_STATUSES:
            response.headers["x-amzn-RateLimit-Limit"] = str(self.buckets[operation].rate)
        return response


async def _read_call(request: Request) -> Call:
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise ApiError(413, "RequestTooLarge", "The request size exceeded the maximum accepted size.")
    return Call(request.path_params, dict(request.query_params), body, str(request.base_url).rstrip("/"))


def refuse_input(details: str) -> ApiError:
    return ApiError(400, "InvalidInput", "Request has missing or invalid parameters and cannot be parsed.", details)


def check_query(call: Call, allowed: frozenset[str]) -> None:
    """Raises ApiError 400 for a parameter the sandbox does not know; the vendor ignores it."""
    unknown = call.query.keys() - allowed
    if unknown:
        raise refuse_input(f"The sandbox does not know the parameter {min(unknown)}.")


def check_choice(call: Call, name: str, allowed: frozenset[str]) -> None:
    wrong = set(call.list_of(name)) - allowed
    if wrong:
        raise refuse_input(f"{name} is not {min(wrong)}.")
