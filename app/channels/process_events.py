"""Work off stored webhooks. An event is done when its order is on record; until then it stays claimed by nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import structlog

from adapters.channels.shopify.read_order import read_order
from app.orders.place_order import place_order
from app.state import State
from domain.errors import Fault

EVENTS_MAX = 64
_CLAIM = """
SELECT id, channel_id, topic, body FROM inbound_events WHERE processed_at IS NULL
ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_DONE = """
UPDATE inbound_events e SET processed_at = now(), error = d.error
FROM unnest($1::bigint[], $2::text[]) AS d (id, error) WHERE e.id = d.id
"""
log = structlog.get_logger()


async def process_events(state: State) -> int:
    """Process one bounded batch; returns how many are done.

    The claim is the row lock: a worker that dies lets go of it, and the order's key makes a second run harmless.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        events = await connection.fetch(_CLAIM, EVENTS_MAX)
        outcomes = await asyncio.gather(*(_process(state, event) for event in events))
        done = [(event["id"], error) for event, (ok, error) in zip(events, outcomes, strict=True) if ok]
        if done:
            await connection.execute(_DONE, [row[0] for row in done], [row[1] for row in done])
    return len(done)


async def _process(state: State, event: Any) -> tuple[bool, str | None]:
    """Whether the event is done, and what is wrong with it. Its raw body stays, whatever happens."""
    if event["topic"] != "orders/create":
        return True, None
    try:
        await place_order(state, event["channel_id"], read_order(event["body"]))
    except asyncpg.UniqueViolationError:
        return True, None
    except Fault as fault:
        return not fault.transient, str(fault)
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
        return False, None
    except Exception as error:
        log.exception("an event cannot be processed", event=event["id"])
        return True, repr(error)
    return True, None
