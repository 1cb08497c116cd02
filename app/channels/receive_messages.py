"""Fetch events from a vendor's queue and take them in as if it had sent them; delete each once it is stored."""

from __future__ import annotations

from app.channels.open_channel import OpenChannel
from app.channels.receive_event import Receipt, store_event
from app.state import State
from domain.errors import Fault

MESSAGES_MAX = 10
LATER_SECONDS = 5.0


async def receive_messages(state: State, channel: OpenChannel) -> tuple[int, float]:
    """One batch. Returns how many came, and how long to wait when the queue cannot be reached.

    A message that is no event of ours is deleted as well: it would come again for days.
    """
    if channel.queue is None:
        return 0, 0.0
    try:
        messages = await channel.queue.receive(MESSAGES_MAX)
        for message in messages:
            receipt = await store_event(state, channel, channel.seal(message.body), message.body)
            if receipt is not Receipt.LATER:
                await channel.queue.delete(message.receipt)
    except Fault:
        return 0, LATER_SECONDS
    return len(messages), 0.0
