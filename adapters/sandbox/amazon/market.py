"""The marketplace in one piece: its state, its queue, its faults, the clock that wakes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import orjson

from adapters.sandbox.amazon.config import MarketConfig
from adapters.sandbox.amazon.inject_faults import FaultKind, Faults
from adapters.sandbox.amazon.queue_messages import Queue
from adapters.sandbox.amazon.state import State, now


@dataclass(slots=True)
class Market:
    """`wake`: something is due earlier than the sleeper thinks. `calls`: by operation, those let through."""

    state: State
    faults: Faults
    queue: Queue
    tokens: dict[str, float] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    calls: dict[str, int] = field(default_factory=dict)
    throttled: dict[str, int] = field(default_factory=dict)

    @property
    def config(self) -> MarketConfig:
        return self.state.config

    def schedule(self, delay_seconds: float, kind: str, data: dict[str, object]) -> None:
        self.state.schedule(now() + delay_seconds, kind, data)
        self.wake.set()

    def publish(self, notification: dict[str, object]) -> None:
        """Into the queue, unless a fault has other plans."""
        if self.faults.strike(FaultKind.NOTIFICATION_MISSING):
            self.queue.dropped += 1
            return
        late = self.faults.strike(FaultKind.NOTIFICATION_LATE)
        copies = 2 if self.faults.strike(FaultKind.NOTIFICATION_DUPLICATE) else 1
        body = orjson.dumps(notification).decode()
        for _ in range(copies):
            self.queue.publish(body, now() + (late.seconds if late else 0.0))
        self.state.touch()
