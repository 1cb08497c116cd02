"""Keep a channel's events coming: vendors drop a subscription that was not answered for a while, and say nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog

from adapters.channels.base import Throttled
from adapters.channels.subscribe_events import SubscribedChannel
from app.channels.open_channel import OpenChannel
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.settings import Settings
from app.state import State
from domain.errors import Fault
from domain.exceptions import CaseKind, Problem, Severity

RETRY_SECONDS = 60.0
_CLAIM = """
INSERT INTO channel_health AS h (channel_id, subscribed_to, subscriptions_due_at)
VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (channel_id) DO UPDATE SET
  subscribed_to = excluded.subscribed_to, subscriptions_due_at = excluded.subscriptions_due_at
WHERE h.subscriptions_due_at IS NULL OR h.subscriptions_due_at <= now() OR h.subscribed_to IS DISTINCT FROM $2
RETURNING h.channel_id
"""
"""Who dies in the middle gives it back after a minute."""
_DONE = "UPDATE channel_health SET subscriptions_due_at = now() + make_interval(secs => $2) WHERE channel_id = $1"
_AGAIN = "UPDATE channel_health SET subscriptions_due_at = NULL WHERE channel_id = $1"
log = structlog.get_logger()
_told: set[tuple[int, str]] = set()
"""What was said once by this process: a channel that relies on polling is no news every few seconds."""


def write_address(settings: Settings, kind: str, code: str) -> str | None:
    """Where a channel's events are to be sent, from outside; None when this instance has no public address."""
    if not settings.public_url:
        return None
    return f"{settings.public_url.rstrip('/')}/webhooks/{kind.lower()}/{quote(code, safe='')}"


async def keep_subscribed(state: State, channel: OpenChannel) -> tuple[int, float]:
    """Look after the subscriptions when it is due, whichever worker comes first. Returns seconds to wait for quota."""
    adapter: Any = channel.adapter
    if not isinstance(adapter, SubscribedChannel):
        return 0, 0.0
    address = write_address(state.settings, channel.kind, channel.code)
    lack = "ONHAND_PUBLIC_URL is not set" if address is None else adapter.lacks_for_events()
    if address is None or lack is not None:
        if (channel.id, str(lack)) not in _told:
            _told.add((channel.id, str(lack)))
            log.info("nobody looks after the events of a channel: it is polled", channel=channel.code, reason=lack)
        return 0, 0.0
    if await state.database.hot.fetchval(_CLAIM, channel.id, address, RETRY_SECONDS) is None:
        return 0, 0.0
    try:
        missing = await adapter.renew_subscriptions(address)
    except Throttled as throttled:
        return 0, throttled.wait_seconds
    except Fault as fault:
        await _note_failure(state, channel, address, fault)
        return 0, 0.0
    if missing:
        log.warning("subscriptions were missing and are there now", channel=channel.code, topics=list(missing))
    await _note_success(state, channel, address, len(missing))
    return 0, 0.0


async def subscribe_again(connection: Any, channel_id: int) -> None:
    """Have the subscriptions looked at next: the connection is another one, or somebody asked."""
    await connection.execute(_AGAIN, channel_id)


async def _note_failure(state: State, channel: OpenChannel, address: str, fault: Fault) -> None:
    """A transient one is tried again in a minute; a refusal is somebody's to put right."""
    log.warning("subscriptions cannot be renewed", channel=channel.code, error=str(fault))
    if fault.transient:
        return
    title = f"{channel.code} does not send all its events: it is polled, which is slower"
    problem = Problem(
        CaseKind.NOT_SUBSCRIBED,
        Severity.MEDIUM,
        fault.cause,
        f"channel:{channel.id}",
        title,
        f"{fault} They were to be sent to {address}.",
        channel.id,
    )
    async with state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [problem])
    state.doorbell.ring("feed")


async def _note_success(state: State, channel: OpenChannel, address: str, renewed: int) -> None:
    proof = {f"channel:{channel.id}": {"subscribedTo": address, "renewed": renewed}}
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_DONE, channel.id, state.settings.subscribe_again_seconds)
        resolved = await resolve_cases(connection, [CaseKind.NOT_SUBSCRIBED.value], proof)
    if resolved:
        state.doorbell.ring("feed")
