"""Have stored events processed again, one or many, and reading what was stored."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from adapters.postgres.idempotency import IdempotentCall
from app.channels.see_channels import find_channel, see_channels
from app.conditions import Conditions
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

_EVENTS = """
SELECT e.id, e.channel_id, c.code AS channel, e.external_id, e.topic, e.occurred_at, e.received_at, e.processed_at,
  e.attempts, e.error
FROM inbound_events e JOIN channels c ON c.id = e.channel_id
"""
_COUNT = "SELECT count(*) FROM inbound_events e JOIN channels c ON c.id = e.channel_id"
_AGAIN = """
UPDATE inbound_events SET processed_at = NULL, attempts = 0, next_attempt_at = NULL WHERE id = $1 AND body <> ''
RETURNING id
"""


MANY_MAX = 1_000
_CHOSEN = """
FROM inbound_events e WHERE e.channel_id = $1 AND e.processed_at IS NOT NULL AND e.body <> ''
  AND ($2::text[] IS NULL OR e.topic = ANY($2)) AND (NOT $3::bool OR e.error IS NOT NULL)
  AND ($4::timestamptz IS NULL OR e.received_at >= $4) AND ($5::timestamptz IS NULL OR e.received_at < $5)
"""
_AGAIN_MANY = f"""
UPDATE inbound_events SET processed_at = NULL, attempts = 0, next_attempt_at = NULL
WHERE id IN (SELECT e.id {_CHOSEN} ORDER BY e.id LIMIT $6 FOR UPDATE OF e)
"""  # noqa: S608
_LEFT = f"SELECT count(*)::int {_CHOSEN}"


@dataclass(frozen=True, slots=True)
class ManyEvents:
    """Of one channel, that were processed or set aside. `since`, `until`: when they came, the end left out."""

    channel: str
    topics: Sequence[str] | None = None
    failed: bool = True
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """None leaves a filter out. `failed`: only those with an error. `waiting`: only those not processed yet."""

    channel: str | None = None
    topics: Sequence[str] | None = None
    failed: bool = False
    waiting: bool = False


async def read_events(
    database: Database, principal: Principal, chosen: EventFilter, before: int, limit: int
) -> Sequence[Any]:
    """Newest first, before an id (0: from the newest), at most `limit`. Without their bodies."""
    found = _choose(await see_channels(database.hot, principal), chosen)
    if before:
        found.add("e.id < {}::bigint", before)
    rows: Sequence[Any] = await database.hot.fetch(
        f"{_EVENTS} {found.where} ORDER BY e.id DESC LIMIT {found.place(limit)}", *found.values
    )
    return rows


async def count_events(database: Database, principal: Principal, chosen: EventFilter) -> int:
    found = _choose(await see_channels(database.hot, principal), chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_event(connection: Any, principal: Principal, event_id: int) -> Any:
    """One event; None when there is none that the principal may see."""
    row = await connection.fetchrow(f"{_EVENTS} WHERE e.id = $1", event_id)
    visible = await see_channels(connection, principal)
    return row if row is not None and (visible is None or row["channel_id"] in visible) else None


async def reprocess_event(state: State, principal: Principal, event_id: int, call: IdempotentCall | None) -> Answer:
    """Let a worker process it again from its raw body: what it says is on record once, however often it is read.

    Raises `Refusal` EVENT_NOT_FOUND, WRONG_STATE when its body was erased. Its case ends when it is through.
    """

    async def decide(connection: Any) -> Answer:
        if await read_event(connection, principal, event_id) is None:
            raise Refusal(RefusalCode.EVENT_NOT_FOUND, "There is no such event.", ("id",))
        if not await reset_event(connection, event_id):
            message = "Its body was erased with the personal data that it held."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
        return {"event": dict(await read_event(connection, principal, event_id))}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("events")
    return answer


async def reprocess_events(
    state: State, principal: Principal, wanted: ManyEvents, call: IdempotentCall | None
) -> Answer:
    """The oldest `MANY_MAX` of them; `events` of the answer is how many, `left` how many more there are.

    Those whose body was erased stay as they are. Raises `Refusal` CHANNEL_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, wanted.channel)
        topics = None if wanted.topics is None else list(wanted.topics)
        chosen = (channel_id, topics, wanted.failed, wanted.since, wanted.until)
        done = await connection.execute(_AGAIN_MANY, *chosen, MANY_MAX)
        return {"events": int(done.split()[-1]), "left": await connection.fetchval(_LEFT, *chosen)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("events")
    return answer


async def reset_event(connection: Any, event_id: int) -> bool:
    """Whether there is such an event with its body; ring "events" after the transaction."""
    return await connection.fetchval(_AGAIN, event_id) is not None


def _choose(visible: list[int] | None, chosen: EventFilter) -> Conditions:
    found = Conditions()
    if visible is not None:
        found.add("e.channel_id = ANY({}::int[])", visible)
    if chosen.channel is not None:
        found.add("c.code = {}", chosen.channel)
    if chosen.topics is not None:
        found.add("e.topic = ANY({}::text[])", list(chosen.topics))
    if chosen.failed:
        found.add("e.error IS NOT NULL")
    if chosen.waiting:
        found.add("e.processed_at IS NULL")
    return found
