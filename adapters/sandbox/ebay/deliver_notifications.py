"""Tells every enabled subscription what happened: signed over the raw body, at least once, in no order, up to a limit.

An endpoint that does not answer 2xx in time is tried again, further apart, with the same notification id and a
fresh signature, since the attempt is counted in the body. After the last try the destination is marked down.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import orjson

from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.sign_notification import SigningKey, make_key
from adapters.sandbox.ebay.state import Destination, State, now, write_time
from adapters.trust_system import trust_system

# What waits beyond this is dropped and counted: a subscriber must poll anyway.
PENDING_MAX = 20_000
CONCURRENCY_MAX = 16
SCHEMA_VERSION = "1.0"
HELD_SECONDS_MAX = 2.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """One event for one destination."""

    notification_id: str
    topic: str
    destination_id: str
    data: dict[str, Any]
    event_at: float
    attempts: int = 0

    def render(self) -> bytes:
        return orjson.dumps({
            "metadata": {"topic": self.topic, "schemaVersion": SCHEMA_VERSION, "deprecated": False},
            "notification": {
                "notificationId": self.notification_id,
                "eventDate": write_time(self.event_at),
                "publishDate": write_time(now()),
                "publishAttemptCount": self.attempts + 1,
                "data": self.data,
            },
        })  # fmt: skip


@dataclass(slots=True)
class Postman:
    """Owns the deliveries under way. `client` is opened by the application's lifespan."""

    state: State
    faults: Faults
    key: SigningKey = field(default_factory=make_key)
    client: httpx.AsyncClient | None = None
    pending: dict[str, Delivery] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY_MAX))
    # Set when the next delivery starts: what was held back may follow it.
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: int = 0
    dropped: int = 0

    def emit(self, topic: str, data: dict[str, Any]) -> None:
        """Starts a delivery to each enabled subscription of the topic."""
        for known in list(self.state.subscriptions.values()):
            if known.topic == topic and known.status == "ENABLED":
                self.send(topic, known.destination_id, data)

    def send(self, topic: str, destination_id: str, data: dict[str, Any]) -> str:
        """Starts one delivery; its notification id."""
        delivery = Delivery(f"{uuid.uuid4()}_{uuid.uuid4()}", topic, destination_id, data, now())
        if len(self.pending) >= PENDING_MAX or self.faults.strike(FaultKind.NOTIFICATION_MISSING):
            self.dropped += 1
            return delivery.notification_id
        self.pending[delivery.notification_id] = delivery
        late = self.faults.strike(FaultKind.NOTIFICATION_LATE)
        held = self.faults.strike(FaultKind.NOTIFICATION_REORDERED)
        copies = 2 if self.faults.strike(FaultKind.NOTIFICATION_DUPLICATE) else 1
        for _ in range(copies):
            self._start(delivery, late.seconds if late else 0.0, held=held is not None)
        return delivery.notification_id

    def _start(self, delivery: Delivery, delay_seconds: float, *, held: bool = False) -> None:
        if self.client is None:
            return  # not open yet: start() takes up everything pending
        task = asyncio.create_task(self._deliver(delivery, delay_seconds, held=held))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start(self) -> None:
        self.client = httpx.AsyncClient(
            timeout=self.state.config.notification_timeout_seconds,
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

    async def _deliver(self, delivery: Delivery, delay_seconds: float, *, held: bool) -> None:
        if held:
            await self._wait_for_next()
        retries = self.state.config.notification_retry_seconds
        for pause_seconds in (delay_seconds, *retries[delivery.attempts :]):
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
            destination = self.state.destinations.get(delivery.destination_id)
            if destination is None or destination.status != "ENABLED":
                break
            if await self._post(destination, delivery):
                self.delivered += 1
                break
            delivery.attempts += 1
        else:
            self._give_up(delivery)
        self.pending.pop(delivery.notification_id, None)
        self.state.touch()

    async def _wait_for_next(self) -> None:
        self.passed.clear()
        try:
            async with asyncio.timeout(HELD_SECONDS_MAX):
                await self.passed.wait()
        except TimeoutError:
            return

    async def _post(self, destination: Destination, delivery: Delivery) -> bool:
        """True when the endpoint answered 2xx in time."""
        assert self.client is not None
        body = delivery.render()
        headers = {"Content-Type": "application/json", "X-EBAY-SIGNATURE": self.key.sign(body)}
        try:
            async with self.gate, asyncio.timeout(self.state.config.notification_timeout_seconds):
                answer = await self.client.post(destination.endpoint, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return False
        finally:
            self.passed.set()
        return answer.is_success

    async def ask(self, endpoint: str, challenge: str) -> Any:
        """The endpoint's answer to a challenge; None when there is none worth reading."""
        assert self.client is not None
        try:
            answer = await self.client.get(endpoint, params={"challenge_code": challenge})
            return orjson.loads(answer.content) if answer.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError):
            return None

    def _give_up(self, delivery: Delivery) -> None:
        self.dropped += 1
        destination = self.state.destinations.get(delivery.destination_id)
        if destination is not None:
            destination.status = "MARKED_DOWN"
            logger.warning("destination %s marked down: never answered", destination.endpoint)

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(delivery) for delivery in self.pending.values()]

    def load(self, saved: Iterable[dict[str, Any]]) -> None:
        self.pending = {raw["notification_id"]: Delivery(**raw) for raw in saved}
