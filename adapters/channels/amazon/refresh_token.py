"""Access tokens of Login with Amazon: kept until shortly before they expire, refreshed once however many ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.channels.amazon.connection import AmazonConnection
from domain.errors import CauseClass, Fault

CALL_SECONDS = 15.0
EARLY_SECONDS = 60.0
# Named in a fault's text; any other word of the vendor's is left out, it might repeat what was sent.
KNOWN_ERRORS = frozenset({"invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"})


@dataclass(slots=True)
class TokenSource:
    """One per connection and process. `clock` in seconds."""

    http: httpx.AsyncClient = field(repr=False)
    connection: AmazonConnection
    clock: Callable[[], float] = time.monotonic
    _token: str | None = field(default=None, repr=False)
    _good_until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def read(self, *, stale: str | None = None) -> str:
        """A token good for now. `stale`: one the vendor turned away, not to be given again. Raises `Fault`."""
        token = self._good_token(stale)
        if token is not None:
            return token
        async with self._lock:
            return self._good_token(stale) or await self._refresh()

    def _good_token(self, stale: str | None) -> str | None:
        return self._token if self._token != stale and self.clock() < self._good_until else None

    async def _refresh(self) -> str:
        asked_at = self.clock()
        try:
            response = await self.http.post(
                f"{self.connection.lwa_url.rstrip('/')}/auth/o2/token",
                data={
                    "grant_type": "refresh_token",
                    "refresh_token": self.connection.refresh_token,
                    "client_id": self.connection.client_id,
                    "client_secret": self.connection.client_secret,
                },
                timeout=CALL_SECONDS,
            )
        except httpx.HTTPError as error:
            message = f"Amazon's token service did not answer ({type(error).__name__})."
            # `from None`: the cause holds the request, and the request holds the secrets.
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        body = _read_object(response)
        if response.status_code != httpx.codes.OK:
            raise _fault_of(response.status_code, body)
        token, lifetime_seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lifetime_seconds, int | float):
            message = "Amazon's token service answered without a token."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE)
        self._token = token
        self._good_until = asked_at + lifetime_seconds - min(EARLY_SECONDS, lifetime_seconds / 10)
        return token


def _read_object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _fault_of(status: int, body: dict[str, Any]) -> Fault:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in (httpx.codes.TOO_MANY_REQUESTS, 408):
        return Fault(f"Amazon's token service answered {status}.", transient=True, cause=CauseClass.OUTAGE)
    word = body.get("error") if body.get("error") in KNOWN_ERRORS else "refused"
    message = f"Amazon gave no access token ({status}, {word}): authorise the application again."
    return Fault(message, transient=False, cause=CauseClass.AUTH)
