"""Access tokens: fetched once, kept until shortly before their end, however many calls wait for one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.channels.base import Throttled
from adapters.channels.ebay.settings import EbayCredentials
from domain.errors import CauseClass, Fault

TOKEN_PATH = "/identity/v1/oauth2/token"  # noqa: S105 - a path
APPLICATION_SCOPE = "https://api.ebay.com/oauth/api_scope"
EARLY_SECONDS = 60.0
EARLY_SHARE = 0.1
THROTTLED_SECONDS = 60.0


@dataclass(slots=True)
class TokenSource:
    """Tokens of one identity: the seller's (refresh_token grant) or the application's (client_credentials)."""

    http: httpx.AsyncClient
    base_url: str
    credentials: EbayCredentials
    form: dict[str, str] = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _token: str | None = field(default=None, repr=False)
    _stale_at: float = 0.0
    _flight: asyncio.Task[str] | None = field(default=None, repr=False)

    async def get(self, rejected: str | None = None) -> str:
        """A token that is not `rejected`. All who come while one is fetched share that answer, or its `Fault`."""
        if self._token is not None and self._token != rejected and self.clock() < self._stale_at:
            return self._token
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch())
            self._flight.add_done_callback(self._land)
        return await asyncio.shield(self._flight)

    def _land(self, flight: asyncio.Task[str]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # whoever waited may have gone: nobody else need hear of it

    async def _fetch(self) -> str:
        auth = httpx.BasicAuth(self.credentials.client_id, self.credentials.client_secret)
        try:
            answer = await self.http.post(f"{self.base_url}{TOKEN_PATH}", data=self.form, auth=auth)
        except httpx.HTTPError as error:
            message = f"eBay gave no token ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        body = _read_body(answer)
        if answer.status_code != 200:
            raise _fault_of(answer.status_code, body)
        token, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int | float):
            raise Fault("eBay's token answer has no token.", transient=True, cause=CauseClass.OUTAGE)
        self._token = token
        self._stale_at = self.clock() + seconds - min(EARLY_SECONDS, seconds * EARLY_SHARE)
        return token


def open_user_tokens(http: httpx.AsyncClient, base_url: str, credentials: EbayCredentials) -> TokenSource:
    form = {"grant_type": "refresh_token", "refresh_token": credentials.refresh_token}
    return TokenSource(http, base_url, credentials, form)


def open_application_tokens(http: httpx.AsyncClient, base_url: str, credentials: EbayCredentials) -> TokenSource:
    return TokenSource(
        http, base_url, credentials, {"grant_type": "client_credentials", "scope": APPLICATION_SCOPE}
    )  # fmt: skip


def _read_body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _fault_of(status: int, body: dict[str, Any]) -> Fault:
    """Of the body only the code is told: the words may repeat what was sent."""
    code = body.get("error")
    known = code if isinstance(code, str) and code.isidentifier() else "no reason given"
    if status == 429:
        return Throttled("eBay hands out no more tokens for now.", THROTTLED_SECONDS)
    if status >= 500:
        return Fault(f"eBay gave no token ({status}).", transient=True, cause=CauseClass.OUTAGE)
    return Fault(
        f"eBay refused a token ({status}, {known}): connect the account again.", transient=False, cause=CauseClass.AUTH
    )
