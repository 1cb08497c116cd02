"""Fetch events from a vendor's queue and take them in as if it had sent them; delete each once it is stored."""

from __future__ import annotations

from app.channels.health import FAILURES_OPEN, Health, Scope, note_failure, note_success, read_health
from app.channels.open_channel import OpenChannel
from app.channels.receive_event import Receipt, store_event
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

MESSAGES_MAX = 10
LATER_SECONDS = 5.0


async def receive_messages(state: State, channel: OpenChannel) -> tuple[int, float]:
    """One batch. Returns how many came, and how long to wait when the queue cannot be reached.

    A message that is no event of ours is deleted as well: it would come again for days. A queue that lets us in no
    more, or does not answer several times, is a case: until it does, the channel is only polled.
    """
    if channel.queue is None:
        return 0, 0.0
    health = await read_health(state.database.hot, channel.id, Scope.QUEUE)
    if health.wait_seconds:
        return 0, health.wait_seconds
    try:
        messages = await channel.queue.receive(MESSAGES_MAX)
        for message in messages:
            receipt = await store_event(state, channel, channel.seal(message.body), message.body)
            if receipt is not Receipt.LATER:
                await channel.queue.delete(message.receipt)
    except Fault as fault:
        await _note_fault(state, channel, fault)
        return 0, LATER_SECONDS
    await _note_messages(state, channel, health, len(messages))
    return len(messages), 0.0


async def _note_fault(state: State, channel: OpenChannel, fault: Fault) -> None:
    async with state.database.hot.acquire() as connection, connection.transaction():
        failures = await note_failure(connection, channel.id, Scope.QUEUE, str(fault), fault.cause)
        if failures < FAILURES_OPEN and fault.cause is not CauseClass.AUTH:
            return
        title = f"The queue of {channel.code} cannot be read: it is polled, which is slower"
        told = f"{fault} Its address and keys are those of the connection: channelUpdate."
        await open_cases(
            connection,
            [
                Problem(
                    CaseKind.NOT_SUBSCRIBED,
                    Severity.MEDIUM,
                    fault.cause,
                    f"channel:{channel.id}",
                    title,
                    told,
                    channel.id,
                )
            ],
        )
    state.doorbell.ring("feed")


async def _note_messages(state: State, channel: OpenChannel, health: Health, messages: int) -> None:
    """What is well is not written down each time."""
    if not health.failures:
        return
    async with state.database.hot.acquire() as connection, connection.transaction():
        await note_success(connection, channel.id, Scope.QUEUE)
        proof = {f"channel:{channel.id}": {"queue": "read", "messages": messages}}
        await resolve_cases(connection, [CaseKind.NOT_SUBSCRIBED.value], proof)
    state.doorbell.ring("feed")
