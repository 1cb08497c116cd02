"""Keep the credentials that a vendor gives at every renewal: one renewal of a channel at a time in all processes.

The lock is a session's, not a transaction's: the vendor is asked meanwhile, and an open transaction would hold the
feed back. It ends with the connection, so that a worker that is killed holds nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from adapters.channels.base import KeepSecrets, RenewSecrets, Secrets
from adapters.postgres.database import Database
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.settings import Settings
from domain.errors import CauseClass, Fault

LOCK_SPACE = 0x5EC2E7
"""The first half of the advisory locks' keys; the second is the channel's id."""
WAIT_SECONDS = 20.0
"""For a renewal of another process: it may take as long as a call of the channel."""
RENEWALS_MAX = 2
"""At once in a process: each holds one of its few connections."""
TRIES_MAX = 3
PAIR = ("access_token", "refresh_token")
_READ = "SELECT credentials FROM channels WHERE id = $1"
_KEEP = "UPDATE channels SET credentials = $3 WHERE id = $1 AND credentials = $2"
_LOCK, _UNLOCK = "SELECT pg_advisory_lock($1, $2)", "SELECT pg_advisory_unlock($1, $2)"


class Keeper:
    """Makes the callback that each channel of a process is opened with."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._gate = asyncio.Semaphore(RENEWALS_MAX)

    def keep_for(self, channel_id: int) -> KeepSecrets:
        async def keep_secrets(known: Secrets, renew: RenewSecrets) -> Secrets:
            try:
                async with self._gate, self._hold(channel_id) as connection:
                    return await self._renew(connection, channel_id, known, renew)
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
                message = f"New credentials of the channel cannot be kept now ({type(error).__name__})."
                raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from error

        return keep_secrets

    @asynccontextmanager
    async def _hold(self, channel_id: int) -> AsyncIterator[Any]:
        """A connection with the channel's lock. One that may still have it afterwards is closed, which ends it."""
        async with self._database.hot.acquire() as connection:
            try:
                await connection.execute(_LOCK, LOCK_SPACE, channel_id, timeout=WAIT_SECONDS)
            except BaseException:
                connection.terminate()
                raise
            try:
                yield connection
            finally:
                try:
                    await connection.execute(_UNLOCK, LOCK_SPACE, channel_id)
                except BaseException:
                    connection.terminate()
                    raise

    async def _renew(self, connection: Any, channel_id: int, known: Secrets, renew: RenewSecrets) -> Secrets:
        """A pair that people gave goes before ours; what else they changed meanwhile (a webhook secret) stays."""
        given: Secrets | None = None
        for _ in range(TRIES_MAX):
            sealed = await connection.fetchval(_READ, channel_id)
            kept = open_credentials(self._settings, sealed)
            if _pair_of(kept) != _pair_of(known):
                return kept
            if given is None:
                fresh = await renew(kept)
                given = {name: value for name, value in fresh.items() if kept.get(name) != value}
            made = {**kept, **given}
            status = await connection.execute(_KEEP, channel_id, sealed, seal_credentials(self._settings, made))
            if status == "UPDATE 1":
                return made
        raise Fault("The channel's credentials are being changed.", transient=True, cause=CauseClass.OUTAGE)


def _pair_of(secrets: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(secrets.get(name) for name in PAIR)
