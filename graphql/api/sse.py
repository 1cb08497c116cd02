"""Subscriptions over Server-Sent Events: one operation per connection, `next` events, then `complete`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from graphql import OperationType

from api.context import Context
from api.errors import ApiError, ErrorCode, unauthenticated
from api.member import Member
from api.outlet import AsgiOutlet, Gone
from api.permission import still_holds
from app.tasks import end_tasks

if TYPE_CHECKING:
    from api.http import Api

KEEP_ALIVE_SECONDS = 15.0
FAREWELL_SECONDS_MAX = 2.0


async def stream_events(api: Api, body: Any, context: Context, receive: Any, send: Any, authorization: str) -> None:
    """Answer one subscription as `text/event-stream` until the client leaves or its token ends."""
    from api.http import error_body
    from api.subscribe import open_stream

    try:
        operation, variables = api.prepare(body, context.principal)
        if operation.kind is not OperationType.SUBSCRIPTION:
            raise ApiError(ErrorCode.BAD_USER_INPUT, "Only subscriptions are streamed: ask for application/json.")
        member = await open_stream(api, operation, variables, context, AsgiOutlet(send, _next_event))
    except Exception as error:
        await _start(send)
        await _finish(send, error_body(error, context.request_id)[0])
        return
    try:
        await _start(send)
        reason = await _run(api, member, context, receive, send, authorization)
        if reason is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS_MAX):
                    await _finish(send, error_body(reason, context.request_id)[0])
    finally:
        api.streams.leave(member)


async def _run(
    api: Api, member: Member, context: Context, receive: Any, send: Any, authorization: str
) -> Exception | None:
    """Run a member to its end. The error to tell the client, if it is still there."""
    running = asyncio.create_task(member.run(), name="sse stream")
    leaving = asyncio.create_task(_until_left(receive), name="sse disconnect")
    try:
        while not (running.done() or leaving.done()):
            if not await _watch(api, context, send, authorization, running, leaving):
                return unauthenticated()
    finally:
        await end_tasks(running, leaving)
    failed = None if running.cancelled() else running.exception()
    return failed if isinstance(failed, Exception) and not isinstance(failed, Gone) else None


async def _watch(api: Api, context: Context, send: Any, authorization: str, *tasks: asyncio.Task[None]) -> bool:
    """Until a task ends or it is time for a comment that keeps the connection alive; whether the token holds."""
    seconds = api.state.settings.reauthorize_seconds
    for _ in range(max(1, round(KEEP_ALIVE_SECONDS / seconds))):
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return True
        if not await still_holds(api.state.authenticator, authorization, context.principal):
            return False
    with contextlib.suppress(TimeoutError):  # what waits for a slow client keeps its connection alive too
        async with asyncio.timeout(seconds):
            await send(_chunk(b":\n\n"))
    return True


async def _until_left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _finish(send: Any, payload: bytes) -> None:
    await send(_next_event(payload))
    await send({"type": "http.response.body", "body": b"event: complete\ndata:\n\n", "more_body": False})


def _next_event(payload: bytes) -> dict[str, Any]:
    return _chunk(b"event: next\ndata: " + payload + b"\n\n")


def _chunk(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}
