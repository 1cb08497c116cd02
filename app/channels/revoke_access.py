"""A seller took our access away: the channel is paused, and somebody must connect it again."""

from __future__ import annotations

import datetime

import structlog

from app.channels.open_channel import OpenChannel
from app.exceptions.open_cases import open_cases
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

CLOCKS_APART = datetime.timedelta(seconds=2)
"""Vendors' times are whole seconds of another clock; nobody connects a channel again as fast as this."""
_LOCK = "SELECT status, connected_at FROM channels WHERE id = $1 FOR UPDATE"
_PAUSE = "UPDATE channels SET status = 'PAUSED' WHERE id = $1 AND status = 'LIVE'"
log = structlog.get_logger()


async def revoke_access(state: State, channel: OpenChannel, message: str, at: datetime.datetime) -> None:
    """Pause the channel and open a case; the first call that works after it was resumed resolves that.

    `at`: when it happened. Old news, from before the channel was connected again, changes nothing. A channel that is
    SHADOW stays so: it sends nothing anyway.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        record = await connection.fetchrow(_LOCK, channel.id)
        if at < record["connected_at"] - CLOCKS_APART:
            log.info("access was revoked before the channel was connected again", channel=channel.code)
            return
        await connection.execute(_PAUSE, channel.id)
        problem = Problem(
            CaseKind.CHANNEL_DOWN,
            Severity.CRITICAL,
            CauseClass.AUTH,
            f"channel:{channel.id}",
            f"Channel {channel.code} took our access away",
            f"{message} It is paused: connect it again, then resume it.",
            channel.id,
        )
        await open_cases(connection, [problem])
    log.warning("access to a channel was revoked", channel=channel.code)
    for bell in ("feed", "push"):
        state.doorbell.ring(bell)
