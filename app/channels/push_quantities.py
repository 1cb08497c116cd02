"""Tell a channel its new quantities: claim, send outside any transaction, settle only what was sent."""

from __future__ import annotations

import asyncio
import datetime
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from adapters.channels.base import Channel, Throttled, WriteOutcome, WriteResult
from app.channels.adopt_observations import adopt_observations
from app.channels.claim_listings import (
    Claim,
    Failure,
    Lane,
    acknowledge,
    await_receipts,
    claim_listings,
    count_due,
    end_overtaken,
    fail,
    keep_leases,
    release,
)
from app.channels.health import Scope, read_health
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.observe_listings import describe_mapping
from app.channels.open_channel import OpenChannel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.state import State
from app.tasks import end_tasks
from app.tracing import span
from domain.errors import CauseClass, Fault

PENDING_MAX = 25_000
ROUNDS_MAX = 4
OBSERVE_MAX = 50
LEASE_SHARE = 0.8
"""Of the lease that a call may take: what comes later is not ours to settle any more."""
PATIENCE_SECONDS_MAX = 600.0
"""Of a batch that an adapter asks more time for: its leases are renewed meanwhile."""
STALE_SECONDS = 0.3
"""Before a listing that the channel sold from is written again: the order is on its way."""

log = structlog.get_logger()


@dataclass(slots=True)
class Outcomes:
    """What a batch came to, listing by listing."""

    done: list[Claim] = field(default_factory=list)
    taken: list[Claim] = field(default_factory=list)
    accepted: list[tuple[Claim, str]] = field(default_factory=list)
    stale: list[Claim] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    untouched: list[Claim] = field(default_factory=list)
    seen: int = 0
    """Stale ones that were looked at, and go on from there."""
    wait_seconds: float = 0.0
    fault: Fault | None = None


async def push_quantities(state: State, channel: OpenChannel, lane: Lane, owner: str) -> tuple[int, float]:
    """Push one batch of a lane. Returns how many listings were claimed, and how long to wait before the next."""
    assert channel.adapter is not None
    health = await read_health(state.database.hot, channel.id, Scope.PUSH)
    if health.wait_seconds:
        return 0, health.wait_seconds
    limit = 1 if health.probing else await _batch_size(state, channel, channel.adapter, lane)
    lease_seconds, owner = state.settings.push_lease_seconds, f"{owner}:{uuid.uuid4().hex}"
    claims = await claim_listings(state.database, channel.id, lane, limit, owner, lease_seconds) if limit else []
    if not claims:
        return 0, 0.0
    started = time.monotonic()
    started_at = datetime.datetime.now(datetime.UTC)
    outcomes = Outcomes()
    try:
        with span("channel push", channel=channel.code, lane=lane.value, listings=len(claims)):
            async with _holding(state, channel.adapter, lane, owner, claims):
                sure = await _look_first(state, channel, lane, claims, owner, outcomes)
                await _send(channel.adapter, lane, sure, outcomes)
                await _settle_stale(state, channel, owner, outcomes)
    except TimeoutError:
        _blame_rest(claims, outcomes)
    lags = await _settle(state, channel, owner, outcomes)
    if lane is Lane.BULK and await end_overtaken(state.database, owner, claims, outcomes.accepted):
        state.doorbell.ring("push")
    done = len(outcomes.done) + len(outcomes.taken) + len(outcomes.accepted) + outcomes.seen
    seconds = time.monotonic() - started
    failed = len(outcomes.failures)
    attempt = Attempt(channel, lane.value, started_at, seconds, len(claims), done, failed, lags)
    await note_attempt(state, attempt, outcomes.fault, outcomes.failures)
    return len(claims), outcomes.wait_seconds


@asynccontextmanager
async def _holding(
    state: State, adapter: Channel, lane: Lane, owner: str, claims: Sequence[Claim]
) -> AsyncIterator[None]:
    """The leases, for as long as the calls may take: within them, or renewed while a vendor takes in a large batch.

    Raises TimeoutError.
    """
    lease_seconds = state.settings.push_lease_seconds
    limit_seconds = lease_seconds * LEASE_SHARE
    patience_seconds = adapter.patience_seconds(len(claims), urgent=lane is Lane.ZERO)
    keeper = None
    if patience_seconds > limit_seconds:
        limit_seconds = min(patience_seconds, PATIENCE_SECONDS_MAX)
        keeper = asyncio.create_task(_keep(state, owner, claims), name="keep leases")
    try:
        async with asyncio.timeout(limit_seconds):
            yield
    finally:
        if keeper is not None:
            await end_tasks(keeper)


async def _keep(state: State, owner: str, claims: Sequence[Claim]) -> None:
    """Until cancelled. A renewal that fails is tried again at the next turn, two of which fit into a lease."""
    lease_seconds = state.settings.push_lease_seconds
    while True:
        await asyncio.sleep(lease_seconds / 3)
        try:
            await keep_leases(state.database, owner, claims, lease_seconds)
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            log.warning("leases cannot be renewed", error=repr(error))


async def _batch_size(state: State, channel: OpenChannel, adapter: Channel, lane: Lane) -> int:
    if lane is Lane.ZERO:
        return adapter.batch_size(PENDING_MAX, urgent=True)
    pending = await count_due(state.database, channel.id, PENDING_MAX)
    return adapter.batch_size(pending, urgent=False) if pending else 0


async def _look_first(
    state: State, channel: OpenChannel, lane: Lane, claims: Sequence[Claim], owner: str, outcomes: Outcomes
) -> Sequence[Claim]:
    """Read back what a lost reply left open before deciding on it. Zero is sent in any case: it can only be right."""
    unsure = [claim for claim in claims if claim.uncertain]
    if lane is Lane.ZERO or not unsure:
        return claims
    outcomes.stale.extend(unsure)
    await _settle_stale(state, channel, owner, outcomes, wait_seconds=0.0)
    return [claim for claim in claims if not claim.uncertain]


async def _send(adapter: Channel, lane: Lane, claims: Sequence[Claim], outcomes: Outcomes) -> None:
    """Send, and halve a batch that the channel turns away as a whole until the listing at fault stands alone.

    What was turned away only for a neighbour's sake is sent again at once without it, a few times.
    """
    waiting: list[Sequence[Claim]] = [claims] if claims else []
    rounds = 0
    while waiting:
        part = waiting.pop()
        try:
            results = await adapter.set_quantities([claim.write for claim in part], urgent=lane is Lane.ZERO)
        except Throttled as throttled:
            outcomes.wait_seconds = max(outcomes.wait_seconds, throttled.wait_seconds)
            outcomes.untouched.extend(part)
            outcomes.untouched.extend(claim for rest in waiting for claim in rest)
            return
        except Fault as fault:
            if not fault.transient and fault.cause is not CauseClass.AUTH and len(part) > 1:
                middle = len(part) // 2
                waiting += [part[:middle], part[middle:]]
                continue
            _note_fault(part, fault, outcomes)
            if fault.transient or fault.cause is CauseClass.AUTH:
                outcomes.untouched.extend(claim for rest in waiting for claim in rest)
                return
        else:
            pairs = list(zip(part, results, strict=True))
            left = [claim for claim, result in pairs if _is_bystander(result)] if rounds < ROUNDS_MAX else []
            if left:
                rounds += 1
                waiting.append(left)
            again = {claim.id for claim in left}
            for claim, result in pairs:
                if claim.id not in again:
                    _sort(claim, result, outcomes)


def _is_bystander(result: WriteResult) -> bool:
    return result.outcome is WriteOutcome.TRANSIENT and result.wait_seconds == 0.0


def _note_fault(part: Sequence[Claim], fault: Fault, outcomes: Outcomes) -> None:
    if fault.cause is CauseClass.AUTH:
        outcomes.fault = fault
        outcomes.untouched.extend(part)
    elif fault.transient:
        outcomes.fault = fault
        outcomes.failures.extend(
            Failure(claim, draw_wait(claim.attempts), fault.cause, str(fault), uncertain=True) for claim in part
        )
    else:
        outcomes.failures.extend(Failure(claim, 0.0, fault.cause, str(fault), refused=True) for claim in part)


def _sort(claim: Claim, result: WriteResult, outcomes: Outcomes) -> None:
    cause, message = result.cause or CauseClass.UNKNOWN, result.message or result.outcome.value
    if result.outcome is WriteOutcome.ACCEPTED and result.receipt is not None:
        outcomes.accepted.append((claim, result.receipt))
    elif result.outcome is WriteOutcome.ACCEPTED:
        outcomes.taken.append(claim)
    elif result.outcome is WriteOutcome.OK:
        outcomes.done.append(claim)
    elif result.outcome is WriteOutcome.STALE:
        outcomes.stale.append(claim)
    elif result.outcome is WriteOutcome.REFUSED:
        outcomes.failures.append(Failure(claim, 0.0, cause, message, refused=True))
    else:
        wait = draw_wait(claim.attempts, result.wait_seconds)
        outcomes.failures.append(Failure(claim, wait, cause, message, uncertain=cause is CauseClass.OUTAGE))


async def _settle_stale(
    state: State, channel: OpenChannel, owner: str, outcomes: Outcomes, wait_seconds: float = STALE_SECONDS
) -> None:
    """What the channel shows is not what it took last: it has sold. Look, and go on from what is there."""
    assert channel.adapter is not None
    if not outcomes.stale:
        return
    stale, outcomes.stale = outcomes.stale, []
    for start in range(0, len(stale), OBSERVE_MAX):
        part = stale[start : start + OBSERVE_MAX]
        try:
            seen = await channel.adapter.observe([claim.ref for claim in part])
        except Throttled as throttled:
            outcomes.wait_seconds = max(outcomes.wait_seconds, throttled.wait_seconds)
            outcomes.untouched.extend(stale[start:])
            return
        except Fault as fault:
            _note_fault(stale[start:], fault, outcomes)
            return
        outcomes.seen += len(part)
        pairs = list(zip(part, seen, strict=True))
        await _tell_unmapped(state, channel, await adopt_observations(state.database, owner, pairs, wait_seconds))


async def _tell_unmapped(state: State, channel: OpenChannel, rows: Sequence[Any]) -> None:
    if rows:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await open_cases(connection, [describe_mapping(channel, row, row["error"]) for row in rows])
        state.doorbell.ring("feed")


def _blame_rest(claims: Sequence[Claim], outcomes: Outcomes) -> None:
    """After a time-out nobody knows what became of the rest. What was settled already is under no lease of ours."""
    fault = Fault("The channel took longer than the lease.", transient=True, cause=CauseClass.OUTAGE)
    known = {claim.id for claim in (*outcomes.done, *outcomes.taken, *outcomes.untouched)}
    known |= {claim.id for claim, _ in outcomes.accepted} | {failure.claim.id for failure in outcomes.failures}
    _note_fault([claim for claim in claims if claim.id not in known], fault, outcomes)


async def _settle(state: State, channel: OpenChannel, owner: str, outcomes: Outcomes) -> list[float]:
    """Returns how long each listing that is done now had waited, seconds."""
    await acknowledge(state.database, owner, outcomes.done, outcomes.taken)
    await await_receipts(state.database, owner, outcomes.accepted)
    await fail(state.database, owner, outcomes.failures)
    if outcomes.untouched:
        await release(state.database, owner, outcomes.untouched)
    now = datetime.datetime.now(datetime.UTC)
    waits = [now - claim.dirty_since for claim in (*outcomes.done, *outcomes.taken) if claim.dirty_since is not None]
    return [max(0.0, wait.total_seconds()) for wait in waits]
