"""From an HTTP request to the JSON object of a GraphQL request, within its limits of size and time."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Coroutine, Generator
from typing import Any
from urllib.parse import parse_qs

import orjson

from api.documents import nul_refused
from api.errors import ErrorCode

JSON = b"application/json"
RESPONSE_JSON = b"application/graphql-response+json"
REQUEST_ID = re.compile(rb"[!-~]{1,100}")


class HttpProblem(Exception):
    """A request that is no GraphQL request at all: the status says why."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def body(self) -> bytes:
        extensions = {"code": ErrorCode.BAD_USER_INPUT.value}
        return orjson.dumps({"errors": [{"message": str(self), "extensions": extensions}]})


def read_request_id(headers: dict[bytes, bytes]) -> str:
    """The client's `X-Request-Id` if it is plain text of at most 100 characters, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode("ascii") if given and REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    return os.urandom(16).hex()


async def read_request(
    scope: Any, receive: Any, headers: dict[bytes, bytes], bytes_max: int, seconds_max: float
) -> Any:
    """The request's JSON. Raises `HttpProblem`, or `ApiError` for text with a NUL."""
    if scope["method"] == "GET":
        return _from_query(scope["query_string"])
    if scope["method"] != "POST":
        raise HttpProblem(405, "Use POST, or GET for queries.", (b"allow", b"GET, POST"))
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != JSON:
        raise HttpProblem(415, "Send application/json.")
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    return parse_json(await _read_in_time(receive, bytes_max, seconds_max))


def parse_json(raw: bytes | str) -> Any:
    """JSON without NUL characters. Raises `HttpProblem` 400, or `ApiError`."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise HttpProblem(400, f"The body is no JSON: {error}.") from None
    escaped = "u0000" in raw if isinstance(raw, str) else b"u0000" in raw
    if escaped and _holds_nul(value):
        raise nul_refused()
    return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in name or _holds_nul(one) for name, one in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


async def _read_in_time(receive: Any, bytes_max: int, seconds_max: float) -> bytes:
    """Nearly every body is there already when it is asked for; only one that is not needs a clock."""
    reading = _read_body(receive, bytes_max)
    try:
        waits_for = reading.send(None)
    except StopIteration as done:
        return bytes(done.value)
    try:
        async with asyncio.timeout(seconds_max):
            return bytes(await _Begun(reading, waits_for))
    except TimeoutError:
        message = f"The request did not arrive within {seconds_max:g} s."
        raise HttpProblem(408, message, (b"connection", b"close")) from None


class _Begun:
    """A coroutine that was begun by hand, and turned out to wait for something."""

    def __init__(self, coroutine: Coroutine[Any, Any, bytes], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, bytes]:
        try:
            while True:
                try:
                    sent = yield self._waits_for
                except BaseException as error:
                    self._waits_for = self._coroutine.throw(error)
                else:
                    self._waits_for = self._coroutine.send(sent)
        except StopIteration as done:
            return bytes(done.value)


async def _read_body(receive: Any, bytes_max: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body") and len(body) <= bytes_max:
        return body
    chunks, size = [body], len(body)
    while message.get("more_body") and size <= bytes_max:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if size > bytes_max:
        raise _too_large(bytes_max)
    return b"".join(chunks)


def _too_large(bytes_max: int) -> HttpProblem:
    return HttpProblem(413, f"A request has at most {bytes_max} bytes.", (b"connection", b"close"))


def _from_query(query: bytes) -> dict[str, Any]:
    try:
        found = parse_qs(query.decode("ascii"), errors="strict", keep_blank_values=True)
    except ValueError:
        raise HttpProblem(400, "The query string is no UTF-8 text.") from None
    given = {name: values[-1] for name, values in found.items()}
    if any("\x00" in value for value in given.values()):
        raise nul_refused()
    body: dict[str, Any] = {"query": given.get("query"), "operationName": given.get("operationName") or None}
    body["variables"] = parse_json(given["variables"]) if given.get("variables") else None
    return body
