"""Work off stored events. One is done when what it says is on record; until then nobody holds it but for a moment."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from adapters.channels.base import Channel, Throttled
from adapters.channels.news import (
    AccessRevoked,
    BatchFinished,
    ChannelNews,
    OrderSeen,
    OrderToPull,
    QuantitySeen,
    QuantityToLook,
    ReturnSeen,
    ReturnToPull,
)
from adapters.channels.subscribe_events import AccessChannel
from app.channels.observe_listings import note_observations
from app.channels.open_channel import COLUMNS, OpenChannel
from app.channels.revoke_access import revoke_access
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.returns.note_refunds import take_seen_order
from app.returns.notice_return import notice_return
from app.returns.take_return import take_return
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

EVENTS_MAX = 64
ATTEMPTS_MAX = 40
BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.25, 30.0
"""Short, so that what waited for the end of an outage is through soon after it."""
THROTTLE_SECONDS_MIN = 0.2
AUTH_SECONDS = 5.0
"""Until it is seen whether the channel lets us in again."""
_CLAIM = """
WITH due AS (
  SELECT id FROM inbound_events
  WHERE processed_at IS NULL AND (next_attempt_at IS NULL OR next_attempt_at <= now())
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE inbound_events e SET next_attempt_at = now() + make_interval(secs => $2), attempts = e.attempts + 1
FROM due WHERE e.id = due.id
RETURNING e.id, e.channel_id, e.external_id, e.topic, e.body, e.occurred_at, e.attempts, e.error,
  least(e.received_at, e.occurred_at) AS at
"""
_CHANNELS = f"SELECT {COLUMNS} FROM channels WHERE id = ANY($1::int[])"  # noqa: S608
_NOTE = """
UPDATE inbound_events e SET error = d.error, order_external_id = coalesce(d.told_of, e.order_external_id),
  body = CASE WHEN d.done AND EXISTS (
    SELECT FROM orders o JOIN order_contacts c ON c.order_id = o.id
    WHERE o.channel_id = e.channel_id AND o.external_id = d.told_of AND c.erased_at IS NOT NULL
  ) THEN '' ELSE e.body END,
  processed_at = CASE WHEN d.done THEN clock_timestamp() END,
  next_attempt_at = CASE WHEN d.done THEN NULL ELSE now() + make_interval(secs => d.wait) END,
  attempts = e.attempts - d.throttled::int
FROM unnest($1::bigint[], $2::bool[], $3::text[], $4::float8[], $5::text[], $6::bool[])
  AS d (id, done, error, wait, told_of, throttled)
WHERE e.id = d.id
"""
"""Which order it told of is kept, so that its body goes when who the order was for is erased: at once if it was."""
PULLED = "ORDER_PULLED"
"""An order of the catch-up poll that could not be taken; the body is the channel's id of it."""
VERSIONED = "EXTERNAL_RETURN"
"""Records of this topic are the whole state of one thing: the id ends with `@` and the version, the time is its too."""
_LATER = f"""
SELECT EXISTS (SELECT FROM inbound_events WHERE topic = '{VERSIONED}' AND channel_id = $1 AND occurred_at > $2
  AND starts_with(external_id, $3))
"""  # noqa: S608
_LOOK = "UPDATE listings SET observed_at = NULL WHERE channel_id = $1 AND external_id = $2 AND location = $3"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`done`: no more tries. `told_of`: the channel's id of the order. `wait_seconds`: it has not failed."""

    done: bool
    error: str | None = None
    told_of: str | None = None
    wait_seconds: float | None = None

    def ends(self, attempts: int) -> bool:
        return self.done or (self.wait_seconds is None and attempts >= ATTEMPTS_MAX)


async def process_events(state: State) -> int:
    """Process one bounded batch; returns how many were looked at.

    A claim is a time: what a dead worker held is due again after it, and everything that an event does may be done
    twice. No transaction is open meanwhile, which would hold the feed back. An event that cannot be read, or fails
    `ATTEMPTS_MAX` times, is set aside with a case; its raw body stays.
    """
    events = sorted(
        await state.database.hot.fetch(_CLAIM, EVENTS_MAX, state.settings.push_lease_seconds),
        key=lambda event: event["id"],
    )
    if not events:
        return 0
    records = await state.database.hot.fetch(_CHANNELS, sorted({event["channel_id"] for event in events}))
    channels = {record["id"]: record for record in records}
    outcomes = await asyncio.gather(*(_process(state, channels[event["channel_id"]], event) for event in events))
    done = [outcome.ends(event["attempts"]) for event, outcome in zip(events, outcomes, strict=True)]
    errors, told_of = [outcome.error for outcome in outcomes], [outcome.told_of for outcome in outcomes]
    failed = [(e, error) for e, error, end in zip(events, errors, done, strict=True) if end and error is not None]
    async with state.database.hot.acquire() as connection, connection.transaction():
        ids, waits = [event["id"] for event in events], list(map(_wait, events, outcomes))
        throttled = [outcome.wait_seconds is not None for outcome in outcomes]
        await connection.execute(_NOTE, ids, done, errors, waits, told_of, throttled)
        await open_cases(connection, [_problem(channels[event["channel_id"]], event, error) for event, error in failed])
        healed = [event for event, error in zip(events, errors, strict=True) if event["error"] and error is None]
        resolved = await resolve_cases(connection, [CaseKind.EVENT_FAILED.value], dict(map(_proof, healed)))
    if failed or resolved:
        state.doorbell.ring("feed")
    return len(events)


async def _process(state: State, record: Any, event: Any) -> Outcome:
    told_of: str | None = None
    structlog.contextvars.bind_contextvars(request_id=f"event:{event['id']}")
    try:
        channel = state.channels.open(record)
        if channel.adapter is None:
            return Outcome(done=True, error="This kind of channel sends no events.")
        if await _is_overtaken(state, event):
            return Outcome(done=True)
        for news in _read(channel.adapter, event):
            if isinstance(news, OrderSeen):
                told_of = news.order.external_id
            told_of = await _act(state, channel, news, event["at"]) or told_of
    except Throttled as throttled:
        return Outcome(done=False, error=str(throttled), told_of=told_of, wait_seconds=throttled.wait_seconds)
    except Fault as fault:
        if not fault.transient and fault.cause is CauseClass.AUTH:  # not the event's fault: it waits for somebody
            return Outcome(done=False, error=str(fault), told_of=told_of, wait_seconds=AUTH_SECONDS)
        return Outcome(done=not fault.transient, error=str(fault), told_of=told_of)
    except Exception as error:
        log.exception("an event cannot be processed", event_id=event["id"], channel=record["code"])
        kept = f"An unexpected {type(error).__name__}: the log has more under event:{event['id']}."  # not whom it names
        return Outcome(done=False, error=kept, told_of=told_of)
    return Outcome(done=True, told_of=told_of)


def _read(adapter: Channel, event: Any) -> Sequence[ChannelNews]:
    if event["topic"] == PULLED:
        return (OrderToPull(event["body"].decode()),)
    return adapter.read_event(event["topic"], event["body"])


async def _is_overtaken(state: State, event: Any) -> bool:
    """Whether a later version of the same thing is stored: that one says all, and this one may be a worker late."""
    if event["topic"] != VERSIONED:
        return False
    name = f"{event['external_id'].rpartition('@')[0]}@"
    return bool(await state.database.hot.fetchval(_LATER, event["channel_id"], event["occurred_at"], name))


async def _act(state: State, channel: OpenChannel, news: ChannelNews, at: datetime.datetime) -> str | None:
    """The channel's id of an order that had to be read."""
    match news:
        case OrderSeen(order):
            await take_seen_order(state, channel.id, order)
        case OrderToPull(external_id):
            assert channel.adapter is not None
            found = await channel.adapter.read_order(external_id)
            if found is not None:
                await take_seen_order(state, channel.id, found)
                return found.external_id
        case QuantitySeen(observation, signed_at):
            await note_observations(state, channel, [observation], min(at, signed_at or at))
        case QuantityToLook(external_id, location):
            await state.database.hot.execute(_LOOK, channel.id, external_id, location)
        case ReturnSeen(notice):
            await notice_return(state, channel.id, notice)
        case ReturnToPull(external_id):
            return await take_return(state, channel, external_id)
        case BatchFinished():
            state.doorbell.ring("push")
        case AccessRevoked(message):
            await _note_revoked(state, channel, message, at)
    return None


async def _note_revoked(state: State, channel: OpenChannel, message: str, at: datetime.datetime) -> None:
    """Unless a call still works: the message may be an old one, sent again by whoever saw it."""
    adapter: object = channel.adapter
    if isinstance(adapter, AccessChannel) and await adapter.has_access():
        log.info("access was not taken away", channel=channel.code, told=message)
    else:
        await revoke_access(state, channel, message, at)


def _proof(event: Any) -> tuple[str, dict[str, Any]]:
    """What failed before and is through now."""
    return f"event:{event['id']}", {"processedAt": datetime.datetime.now(datetime.UTC), "attempts": event["attempts"]}


def _problem(record: Any, event: Any, error: str) -> Problem:
    return Problem(
        CaseKind.EVENT_FAILED,
        Severity.HIGH,
        CauseClass.VALIDATION,
        f"event:{event['id']}",
        f"An event of {record['code']} ({event['topic']}) cannot be processed",
        error,
        record["id"],
    )


def _wait(event: Any, outcome: Outcome) -> float:
    if outcome.wait_seconds is None:
        return draw_wait(event["attempts"], first_seconds=BACKOFF_SECONDS, most_seconds=BACKOFF_SECONDS_MAX)
    return min(BACKOFF_SECONDS_MAX, max(THROTTLE_SECONDS_MIN, outcome.wait_seconds))
