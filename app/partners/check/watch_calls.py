"""What went over the wire during a check: each call's name, how long it took, what was answered."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

CALLS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """`answer`: the JSON, None when it was none."""

    method: str
    seconds: float
    status: int
    answer: Any


@dataclass(slots=True)
class Wire(httpx.AsyncBaseTransport):
    """A transport that remembers what it carried."""

    inner: httpx.AsyncBaseTransport
    calls: list[Call] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        response = await self.inner.handle_async_request(request)
        body = await response.aread()
        if len(self.calls) < CALLS_MAX:
            name = request.url.path.rsplit("/", 1)[-1]
            self.calls.append(Call(name, time.monotonic() - began, response.status_code, _read(body)))
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
