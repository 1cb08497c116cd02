"""Keep what each call of a channel came to: the attempt, the connection's health, cases, and word to who watches."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.channels.base import Throttled
from adapters.channels.refuse_call import NotPermitted
from app.channels.claim_listings import Failure
from app.channels.health import FAILURES_OPEN, SCOPES, Scope, note_failure, note_success
from app.channels.measure_lag import note_lags
from app.channels.open_channel import OpenChannel
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.metrics import PUSH_LAG_SECONDS, SYNC_CALL_SECONDS, SYNC_CALLS
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

_ATTEMPT = """
WITH kept AS (
  INSERT INTO sync_attempts (channel_id, lane, started_at, seconds, listings, done, failed, cause, error)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *
)
INSERT INTO feed (topic, key, channel_id, payload)
SELECT 'sync_failure', channel_id || '.' || lane, channel_id, to_json(kept) FROM kept
WHERE failed > 0 OR error IS NOT NULL
"""
"""Who reads slowly gets the latest failure of each channel and lane."""
_ASKED = {
    Scope.PUSH: "change quantities",
    Scope.SETTLE: "read what became of its batches",
    Scope.OBSERVE: "read what it shows",
    Scope.ORDERS: "read orders",
    Scope.RETURNS: "read returns",
    Scope.TELL: "be told of parcels, refunds and cancellations",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call. `listings` (or orders) it was about, how many it did and how many failed.

    `lags`: how long each listing that it brought to acknowledgement had waited, seconds. `proves`: that a call of its
    lane works, when it came to no fault.
    """

    channel: OpenChannel
    lane: str
    started_at: datetime.datetime
    seconds: float
    listings: int
    done: int
    failed: int
    lags: Sequence[float] = ()
    proves: bool = True


async def note_attempt(
    state: State, attempt: Attempt, fault: Fault | None = None, failures: Sequence[Failure] = ()
) -> None:
    """One transaction. A fault of the whole call counts against the connection; throttling and refusals do not."""
    channel = attempt.channel
    first = failures[0] if failures else None
    cause = fault.cause.value if fault else first.cause.value if first else None
    error = str(fault) if fault else first.message if first else None
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(
            _ATTEMPT,
            channel.id,
            attempt.lane,
            attempt.started_at,
            attempt.seconds,
            attempt.listings,
            attempt.done,
            attempt.failed,
            cause,
            None if error is None else error[:500],
        )
        await note_lags(connection, channel.id, attempt.lags)
        if fault is None and attempt.proves:
            await _close_outage(connection, attempt)
        elif fault is not None and not isinstance(fault, Throttled):
            await _note_outage(connection, attempt, fault)
        await open_cases(connection, [_rejected(channel, one) for one in failures if one.refused])
    _measure(attempt, fault)
    state.doorbell.ring("feed" if fault is not None or failures else "listings")


def _measure(attempt: Attempt, fault: Fault | None) -> None:
    labels = (attempt.channel.code, attempt.lane)
    outcome = fault.cause.value if fault else "PART" if attempt.failed else "OK"
    SYNC_CALLS.labels(*labels, outcome).inc()
    SYNC_CALL_SECONDS.labels(*labels).observe(attempt.seconds)
    for seconds in attempt.lags:
        PUSH_LAG_SECONDS.labels(*labels).observe(seconds)


async def _note_outage(connection: Any, attempt: Attempt, fault: Fault) -> None:
    """Parcels and the like have cases of their own: they speak for the connection only when it lets nobody in."""
    channel, scope = attempt.channel, SCOPES[attempt.lane]
    failures = await note_failure(connection, channel.id, scope, str(fault), fault.cause)
    if fault.cause is not CauseClass.AUTH and (failures < FAILURES_OPEN or scope is Scope.TELL):
        return
    title = f"Channel {channel.code} does not work"
    if isinstance(fault, NotPermitted):
        title = f"Channel {channel.code} does not permit us to {_ASKED[scope]}"
    problem = Problem(
        CaseKind.CHANNEL_DOWN,
        Severity.CRITICAL,
        fault.cause,
        f"channel:{channel.id}",
        title,
        str(fault),
        channel.id,
    )
    await open_cases(connection, [problem])


async def _close_outage(connection: Any, attempt: Attempt) -> None:
    """A call that came back is the proof that its scope works, or did when it was made; the others prove themselves."""
    causes = await note_success(connection, attempt.channel.id, SCOPES[attempt.lane])
    proof = {"lane": attempt.lane, "at": attempt.started_at, "listings": attempt.listings, "done": attempt.done}
    kinds = [CaseKind.CHANNEL_DOWN.value]
    proofs = {f"channel:{attempt.channel.id}": proof}
    await resolve_cases(connection, kinds, proofs, attempt.seconds, but_causes=causes)


def _rejected(channel: OpenChannel, failure: Failure) -> Problem:
    write = failure.claim.write
    severity = Severity.HIGH if write.quantity == 0 else Severity.MEDIUM
    title = f"{channel.code} refuses {write.quantity} for {write.external_id}"
    return Problem(
        CaseKind.SYNC_REJECTED,
        severity,
        failure.cause,
        f"listing:{failure.claim.id}",
        title,
        failure.message,
        channel.id,
        failure.claim.sku_id,
    )
