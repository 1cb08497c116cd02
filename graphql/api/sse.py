"""Subscriptions over Server-Sent Events: one operation per connection, `next` events, then `complete`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationType

from api.context import Context
from api.documents import InvalidDocument
from api.errors import ApiError, ErrorCode, unauthenticated
from api.read_request import HttpProblem
from domain.errors import Refusal

if TYPE_CHECKING:
    from api.http import Api

KEEP_ALIVE_SECONDS = 15.0


async def stream_events(api: Api, body: Any, context: Context, receive: Any, send: Any, authorization: str) -> None:
    """Answer one subscription as `text/event-stream` until the client leaves or its token ends."""
    from api.http import error_body
    from api.subscribe import open_stream

    async def write(payload: str) -> None:
        await send(_chunk(f"event: next\ndata: {payload}\n\n"))

    try:
        operation, variables = api.prepare(body, context.principal)
        if operation.kind is not OperationType.SUBSCRIPTION:
            raise ApiError(ErrorCode.BAD_USER_INPUT, "Only subscriptions are streamed: ask for application/json.")
        member = await open_stream(api, operation, variables, context, write)
    except (GraphQLError, HttpProblem, InvalidDocument, Refusal) as error:
        await _start(send)
        await write(error_body(error, context.request_id)[0].decode())
        await _finish(send)
        return
    await _start(send)
    running = asyncio.create_task(member.run(), name="sse stream")
    leaving = asyncio.create_task(_until_left(receive), name="sse disconnect")
    try:
        if await _watch(api, running, leaving, authorization, send):
            await write(error_body(unauthenticated(), context.request_id)[0].decode())
            await _finish(send)
    finally:
        for task in (running, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        api.streams.leave(member)


async def _watch(api: Api, running: Any, leaving: Any, authorization: str, send: Any) -> bool:
    """Wait for the end; True when it is that the token does not hold any more."""
    seconds = api.state.settings.reauthorize_seconds
    silent = 0.0
    while True:
        done, _ = await asyncio.wait((running, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return False
        if await api.state.authenticator.authenticate(authorization) is None:
            return True
        silent += seconds
        if silent >= KEEP_ALIVE_SECONDS:
            silent = 0.0
            await send(_chunk(":\n\n"))


async def _until_left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _finish(send: Any) -> None:
    await send({"type": "http.response.body", "body": b"event: complete\ndata:\n\n", "more_body": False})


def _chunk(text: str) -> dict[str, Any]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
