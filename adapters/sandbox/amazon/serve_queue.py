"""/sqs: the notification queue, by the JSON protocol of Amazon SQS. Signatures are not checked."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.queue_messages import RECEIVED_MAX, Message
from adapters.sandbox.amazon.state import now
from adapters.sandbox.amazon.work_off import work_off
from adapters.sandbox.respond import JsonResponse

BODY_BYTES_MAX = 100_000
WAIT_SECONDS_MAX = 20
LOOK_SECONDS = 0.5


async def serve_queue(market: Market, request: Request) -> Response:
    """ReceiveMessage and DeleteMessage, named in X-Amz-Target."""
    body = await request.body()
    try:
        asked = orjson.loads(body) if len(body) <= BODY_BYTES_MAX else None
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        return _refuse("SerializationException", "send a JSON object")
    match request.headers.get("x-amz-target", "").rpartition(".")[2]:
        case "ReceiveMessage":
            return await _receive(market, asked)
        case "DeleteMessage":
            market.queue.delete(str(asked.get("ReceiptHandle")))
            market.state.touch()
            return JsonResponse({})
    return _refuse("UnknownOperationException", "X-Amz-Target is AmazonSQS.ReceiveMessage or AmazonSQS.DeleteMessage")


async def _receive(market: Market, asked: dict[str, Any]) -> Response:
    count, wait = asked.get("MaxNumberOfMessages", 1), asked.get("WaitTimeSeconds", 0)
    hidden = asked.get("VisibilityTimeout", market.config.visibility_seconds)
    if not isinstance(count, int) or not 1 <= count <= RECEIVED_MAX:
        return _refuse("InvalidParameterValue", f"MaxNumberOfMessages is from 1 to {RECEIVED_MAX}")
    if not isinstance(wait, int) or not 0 <= wait <= WAIT_SECONDS_MAX or not isinstance(hidden, int | float):
        return _refuse("InvalidParameterValue", f"WaitTimeSeconds is from 0 to {WAIT_SECONDS_MAX}")
    messages = await _wait_for_messages(market, count, float(hidden), now() + wait)
    return JsonResponse({"Messages": [_render(message) for message in messages]} if messages else {})


async def _wait_for_messages(market: Market, count: int, hidden: float, deadline: float) -> list[Message]:
    while True:
        market.queue.arrived.clear()
        work_off(market)
        messages = market.queue.receive(count, hidden, now())
        left = deadline - now()
        if messages or left <= 0:
            if messages:
                market.state.touch()
            return messages
        try:
            async with asyncio.timeout(min(left, LOOK_SECONDS)):
                await market.queue.arrived.wait()
        except TimeoutError:
            continue


def _render(message: Message) -> dict[str, Any]:
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "Body": message.body,
    }


def _refuse(kind: str, message: str) -> Response:
    return JsonResponse({"__type": f"com.amazonaws.sqs#{kind}", "message": message}, 400)
