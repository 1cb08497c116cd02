"""The queue notifications come through: a port of two calls, and Amazon SQS behind it.

Delivery is at least once and in no order. Delete a message only after its body is stored.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import orjson

from adapters.channels.amazon.sign_request import AwsCredentials, sign_request
from domain.errors import CauseClass, Fault

MESSAGES_MAX = 10
WAIT_SECONDS_MAX = 20
ANSWER_SECONDS = 10.0
CONTENT_TYPE = "application/x-amz-json-1.0"
AUTH_STATUSES = (401, 403)


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """`receipt`: of this delivery, to delete it by."""

    receipt: str
    body: bytes


class MessageQueue(Protocol):
    """Both raise `Fault`."""

    async def receive(self, messages_max: int = MESSAGES_MAX, wait_seconds: int = 0) -> Sequence[QueueMessage]:
        """Waits up to `wait_seconds` for the first message. What is not deleted comes again later."""
        ...

    async def delete(self, receipt: str) -> None: ...


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class SqsQueue:
    """Amazon SQS by its JSON protocol. `url`: the queue's own."""

    http: httpx.AsyncClient = field(repr=False)
    url: str
    region: str
    credentials: AwsCredentials
    clock: Callable[[], datetime.datetime] = utc_now

    async def receive(self, messages_max: int = MESSAGES_MAX, wait_seconds: int = 0) -> Sequence[QueueMessage]:
        wait_seconds = min(wait_seconds, WAIT_SECONDS_MAX)
        asked = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": max(1, min(messages_max, MESSAGES_MAX)),
            "WaitTimeSeconds": wait_seconds,
        }
        answer = await self._call("ReceiveMessage", asked, wait_seconds + ANSWER_SECONDS)
        return [QueueMessage(str(m["ReceiptHandle"]), str(m["Body"]).encode()) for m in answer.get("Messages") or []]

    async def delete(self, receipt: str) -> None:
        await self._call("DeleteMessage", {"QueueUrl": self.url, "ReceiptHandle": receipt}, ANSWER_SECONDS)

    async def _call(self, action: str, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        body = orjson.dumps(asked)
        headers = sign_request(
            self.credentials,
            method="POST",
            url=self.url,
            headers={"content-type": CONTENT_TYPE, "x-amz-target": f"AmazonSQS.{action}"},
            body=body,
            region=self.region,
            service="sqs",
            moment=self.clock(),
        )
        try:
            response = await self.http.post(self.url, content=body, headers=headers, timeout=seconds)
            answer = orjson.loads(response.content) if response.content else {}
        except (httpx.HTTPError, ValueError) as error:
            message = f"The notification queue did not answer {action} ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        if not response.is_success:
            raise _fault_of(action, response.status_code)
        return answer if isinstance(answer, dict) else {}


def _fault_of(action: str, status: int) -> Fault:
    message = f"The notification queue refused {action}: {status}."
    if status in AUTH_STATUSES:
        return Fault(message, transient=False, cause=CauseClass.AUTH)
    transient = status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS
    return Fault(message, transient=transient, cause=CauseClass.OUTAGE if transient else CauseClass.VALIDATION)
