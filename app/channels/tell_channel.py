"""One call that tells a channel something of an order, with what came of it on record. No transaction is open.

Faults become outcomes. A connection that lets nobody in is the channel's case, and tried again; a call that it does not
let in, or that the vendor does not offer, is refused like anything else that the vendor does not take. Where others are
not let in either, it is the connection again.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog

from adapters.channels.base import Channel, Throttled, WriteOutcome, WriteResult
from adapters.channels.refuse_call import NotOffered, NotPermitted
from app.channels.health import SCOPES, is_denied
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.state import State
from domain.errors import CauseClass, Fault

DONE = (WriteOutcome.OK, WriteOutcome.ACCEPTED)
UNSENT = (Throttled, NotOffered)
"""They say nothing of the connection."""
log = structlog.get_logger()


async def tell_channel(
    state: State, record: Any, lane: str, subject: str, tell: Callable[[Channel], Awaitable[WriteResult]]
) -> WriteResult:
    """`record`: the channel's row. Never raises for what the channel did: that is the outcome."""
    started, at = time.monotonic(), datetime.datetime.now(datetime.UTC)
    channel: OpenChannel | None = None
    fault: Fault | None = None
    try:
        channel = state.channels.open(record)
        assert channel.adapter is not None
        result = await tell(channel.adapter)
    except Fault as raised:
        fault, result = raised, _read_fault(raised)
    except Exception as error:
        log.exception("a channel cannot be told", channel=record["code"], lane=lane, subject=subject)
        result = WriteResult(WriteOutcome.TRANSIENT, repr(error), CauseClass.UNKNOWN)
    if channel is not None and not isinstance(fault, UNSENT):
        done = int(result.outcome in DONE)
        denied = isinstance(fault, NotPermitted)
        if denied and await is_denied(state.database.hot, channel.id, SCOPES[lane]):
            result = replace(result, outcome=WriteOutcome.TRANSIENT)
        attempt = Attempt(channel, lane, at, time.monotonic() - started, 1, done, 1 - done, proves=not denied)
        await note_attempt(state, attempt, None if denied else fault)
    return result


def _read_fault(fault: Fault) -> WriteResult:
    again = fault.transient or (fault.cause is CauseClass.AUTH and not isinstance(fault, NotPermitted))
    wait = fault.wait_seconds if isinstance(fault, Throttled) else None
    outcome = WriteOutcome.TRANSIENT if again else WriteOutcome.REFUSED
    return WriteResult(outcome, str(fault), fault.cause, wait_seconds=wait)
