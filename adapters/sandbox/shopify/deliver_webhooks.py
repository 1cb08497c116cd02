"""Tells every subscriber what happened: signed over the raw body, at least once, in no order, up to a limit.

A delivery that is not answered with 2xx within the timeout is tried again, further and further apart, with
the same webhook id. When the last try fails, the subscription is removed, as the vendor does.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import orjson

from adapters.sandbox.shopify.config import API_VERSION
from adapters.sandbox.shopify.inject_faults import FaultKind, Faults
from adapters.sandbox.shopify.state import State, now, write_time
from adapters.trust_system import trust_system

# What waits beyond this is dropped and counted: a subscriber must reconcile anyway.
PENDING_MAX = 20_000
CONCURRENCY_MAX = 16

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """One event for one subscriber. `body` is text because it is saved as JSON; it is sent as its UTF-8."""

    webhook_id: str
    event_id: str
    subscription: int
    topic: str
    uri: str
    body: str
    triggered_at: float
    attempts: int = 0


def sign_body(secret: str, body: bytes) -> str:
    """X-Shopify-Hmac-Sha256: base64 of HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


@dataclass(slots=True)
class Postman:
    """Owns the deliveries under way. `client` is opened by the application's lifespan."""

    state: State
    faults: Faults
    client: httpx.AsyncClient | None = None
    pending: dict[str, Delivery] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY_MAX))
    delivered: int = 0
    dropped: int = 0

    def emit(self, topic: str, build: Callable[[], dict[str, Any]]) -> None:
        """Builds the payload once and starts a delivery to each subscriber of the topic."""
        subscriptions = [known for known in self.state.subscriptions.values() if known.topic == topic]
        if not subscriptions:
            return
        body, event_id, at = orjson.dumps(build()).decode(), str(uuid.uuid4()), now()
        for known in subscriptions:
            delivery = Delivery(str(uuid.uuid4()), event_id, known.index, topic, known.uri, body, at)
            self._accept(delivery)

    def _accept(self, delivery: Delivery) -> None:
        if len(self.pending) >= PENDING_MAX or self.faults.strike(FaultKind.WEBHOOK_MISSING):
            self.dropped += 1
            return
        self.pending[delivery.webhook_id] = delivery
        late = self.faults.strike(FaultKind.WEBHOOK_LATE)
        copies = 2 if self.faults.strike(FaultKind.WEBHOOK_DUPLICATE) else 1
        for _ in range(copies):
            self._start(delivery, late.seconds if late else 0.0)

    def _start(self, delivery: Delivery, delay_seconds: float) -> None:
        if self.client is None:
            return  # not open yet: start() takes up everything pending
        task = asyncio.create_task(self._deliver(delivery, delay_seconds))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start(self) -> None:
        self.client = httpx.AsyncClient(
            timeout=self.state.config.webhook_timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            verify=trust_system(),
        )
        for delivery in list(self.pending.values()):
            self._start(delivery, 0.0)

    async def stop(self) -> None:
        """Ends the deliveries under way; what was not acknowledged stays pending and is saved."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.client is not None:
            await self.client.aclose()
            self.client = None

    async def _deliver(self, delivery: Delivery, delay_seconds: float) -> None:
        retries = self.state.config.webhook_retry_seconds
        for pause_seconds in (delay_seconds, *retries[delivery.attempts :]):
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
            if delivery.subscription not in self.state.subscriptions:
                break
            # It may have moved since: a store that starts with another address redirects what was pending.
            delivery.uri = self.state.subscriptions[delivery.subscription].uri
            if await self._post(delivery):
                self.delivered += 1
                break
            delivery.attempts += 1
        else:
            self._give_up(delivery)
        self.pending.pop(delivery.webhook_id, None)
        self.state.touch()

    async def _post(self, delivery: Delivery) -> bool:
        """True when the subscriber answered 2xx in time."""
        assert self.client is not None
        body = delivery.body.encode()
        headers = self._headers(delivery, body)
        try:
            async with self.gate, asyncio.timeout(self.state.config.webhook_timeout_seconds):
                answer = await self.client.post(delivery.uri, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return False
        return answer.is_success

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        config = self.state.config
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Hmac-Sha256": sign_body(config.webhook_secret, body),
            "X-Shopify-Shop-Domain": config.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": delivery.webhook_id,
            "X-Shopify-Event-Id": delivery.event_id,
            "X-Shopify-Triggered-At": write_time(delivery.triggered_at),
        }

    def _give_up(self, delivery: Delivery) -> None:
        self.dropped += 1
        if self.state.subscriptions.pop(delivery.subscription, None) is not None:
            logger.warning("subscription to %s at %s removed: never answered", delivery.topic, delivery.uri)

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(delivery) for delivery in self.pending.values()]

    def load(self, saved: list[dict[str, Any]]) -> None:
        self.pending = {raw["webhook_id"]: Delivery(**raw) for raw in saved}
