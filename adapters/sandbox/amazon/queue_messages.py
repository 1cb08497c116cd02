"""An SQS-like queue: at least once, in no order. A message received is hidden for a while and then comes again."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

MESSAGES_MAX = 20_000
RECEIVED_MAX = 10


@dataclass(slots=True)
class Message:
    message_id: str
    body: str
    visible_at: float
    receives: int = 0

    @property
    def receipt(self) -> str:
        return f"{self.message_id}.{self.receives}"


@dataclass(slots=True)
class Queue:
    """`arrived` wakes whoever waits for a message."""

    dice: random.Random
    messages: dict[str, Message] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    published: int = 0
    deleted: int = 0
    dropped: int = 0

    def publish(self, body: str, visible_at: float) -> None:
        """Full, it drops: a reader must reconcile anyway."""
        if len(self.messages) >= MESSAGES_MAX:
            self.dropped += 1
            return
        message = Message(str(uuid.uuid4()), body, visible_at)
        self.messages[message.message_id] = message
        self.published += 1
        self.arrived.set()

    def receive(self, count: int, visibility_seconds: float, moment: float) -> list[Message]:
        visible = [message for message in self.messages.values() if message.visible_at <= moment]
        taken = self.dice.sample(visible, min(count, RECEIVED_MAX, len(visible)))
        for message in taken:
            message.visible_at = moment + visibility_seconds
            message.receives += 1
        return taken

    def delete(self, receipt: str) -> None:
        """By the receipt of any delivery of the message; one already gone is no error."""
        if self.messages.pop(receipt.rpartition(".")[0], None) is not None:
            self.deleted += 1

    def load(self, saved: list[dict[str, Any]]) -> None:
        self.messages = {raw["message_id"]: Message(**raw) for raw in saved}
