"""One call of the Selling Partner API: quota first, a fresh token, and failures sorted by who can help.

transient                          permanent
QUOTA   429 (`Throttled`)          AUTH        403 again with a fresh token, 401
OUTAGE  5xx, 408, no answer        MAPPING     404
                                   VALIDATION  other 4xx
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from adapters.channels.amazon.connection import AmazonConnection
from adapters.channels.amazon.refresh_token import TokenSource
from adapters.channels.base import Quota, Throttled
from adapters.channels.refuse_call import NotPermitted
from domain.errors import CauseClass, Fault

CALL_SECONDS = 15.0
WAIT_SECONDS_MIN = 0.02
WAIT_SECONDS_MAX = 300.0
RATE_HEADER = "x-amzn-ratelimit-limit"
TEXT_MAX = 200


@dataclass(slots=True)
class AmazonApi:
    """Speaks for one connection. `rates`: requests per second, as answers announced them."""

    http: httpx.AsyncClient = field(repr=False)
    connection: AmazonConnection
    tokens: TokenSource
    quota: Quota
    clock: Callable[[], float] = time.monotonic
    rates: dict[str, float] = field(default_factory=dict)

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        urgent: bool = False,
        patience_seconds: float = 0.0,
    ) -> dict[str, Any]:
        """The answer's body, {} for none. Raises `Fault`; `Throttled` when the quota asks for more than patience."""
        deadline = self.clock() + patience_seconds
        while True:
            try:
                return await self._call_once(operation, method, path, params, body, urgent)
            except Throttled as throttled:
                wait_seconds = max(WAIT_SECONDS_MIN, throttled.wait_seconds)
                if self.clock() + wait_seconds > deadline:
                    raise
                await asyncio.sleep(wait_seconds)

    async def _call_once(
        self,
        operation: str,
        method: str,
        path: str,
        params: dict[str, str] | None,
        body: dict[str, Any] | None,
        urgent: bool,
    ) -> dict[str, Any]:
        request = self.http.build_request(
            method, f"{self.connection.base_url.rstrip('/')}{path}", params=params, json=body, timeout=CALL_SECONDS
        )
        token = await self.tokens.read()
        response = await self._send(operation, request, token, urgent)
        if response.status_code == httpx.codes.FORBIDDEN and read_error(response)[0] == "Unauthorized":
            token = await self.tokens.read(stale=token)
            response = await self._send(operation, request, token, urgent)
        if not response.is_success:
            raise await self._fault_of(operation, response)
        return read_object(operation, response)

    async def _send(self, operation: str, request: httpx.Request, token: str, urgent: bool) -> httpx.Response:
        await self.quota.take(operation, urgent=urgent)
        request.headers["x-amz-access-token"] = token
        try:
            response = await self.http.send(request)
        except httpx.HTTPError as error:
            message = f"Amazon {operation}: no answer ({type(error).__name__})."
            # `from None`: the cause holds the request, and the request holds the token.
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        rate = read_rate(response)
        if rate is not None:
            self.rates[operation] = rate
            await self.quota.announce(operation, rate=rate)
        return response

    async def _fault_of(self, operation: str, response: httpx.Response) -> Fault:
        status = response.status_code
        code, text = read_error(response)
        message = f"Amazon {operation}: {status} {code}: {text}"
        if status == httpx.codes.TOO_MANY_REQUESTS:
            await self.quota.announce(operation, available=0.0)
            return Throttled(message, min(WAIT_SECONDS_MAX, 1 / self.rate_of(operation)))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            return Fault(message, transient=True, cause=CauseClass.OUTAGE)
        if status == httpx.codes.FORBIDDEN and not _blames_token(response):
            return NotPermitted(f"{message} The application lacks a role, or the seller has not authorized it.")
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return Fault(message, transient=False, cause=CauseClass.AUTH)
        cause = CauseClass.MAPPING if status == httpx.codes.NOT_FOUND else CauseClass.VALIDATION
        return Fault(message, transient=False, cause=cause)

    def rate_of(self, operation: str) -> float:
        """Requests per second."""
        known = self.rates.get(operation)
        return known if known is not None else self.connection.rates[operation].per_second


def write_path(*parts: str) -> str:
    """A path of which every part is data: a SKU may hold slashes and spaces."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def read_rate(response: httpx.Response) -> float | None:
    try:
        rate = float(response.headers.get(RATE_HEADER, ""))
    except ValueError:
        return None
    return rate if 0 < rate < float("inf") else None


def _blames_token(response: httpx.Response) -> bool:
    """Amazon has one code and message for an access token that ended and for a role that is missing: details tell."""
    try:
        return "access token" in str(orjson.loads(response.content)["errors"][0]["details"]).lower()
    except (ValueError, LookupError, TypeError):
        return False


def read_error(response: httpx.Response) -> tuple[str, str]:
    """(code, message) of the first error, cut short; made up when the body is not the vendor's."""
    try:
        first = orjson.loads(response.content)["errors"][0]
        code, message = str(first["code"]), str(first["message"])
    except (ValueError, LookupError, TypeError):
        code, message = "error", "an answer in no form the vendor documents"
    return code[:TEXT_MAX], message[:TEXT_MAX]


def read_object(operation: str, response: httpx.Response) -> dict[str, Any]:
    """Raises a transient `Fault` when a success is not JSON: something between us and the vendor answered."""
    if not response.content:
        return {}
    try:
        body = orjson.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Fault(f"Amazon {operation}: the answer is not JSON.", transient=True, cause=CauseClass.OUTAGE)
    return body
