"""The access token of a store: for good, or for an hour and renewed with a refresh token that changes every time.

The vendor takes the old refresh token again until the new one was used, so a renewal whose answer was lost, or could
not be kept, is simply done again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.channels.base import KeepSecrets, Secrets
from domain.errors import CauseClass, Fault

PATH = "/admin/oauth/access_token"
EARLY_SECONDS = 120.0
"""Renewed so long before its end, while the old one still works."""
RETRY_SECONDS = 10.0
"""Between early renewals that failed."""
NEEDED = ("refresh_token", "client_id", "client_secret")


@dataclass(slots=True)
class AccessToken:
    """One store's token, renewed by one caller at a time. `clock`: seconds since the epoch."""

    http: httpx.AsyncClient
    base_url: str
    secrets: Secrets = field(repr=False)
    keep_secrets: KeepSecrets | None = None
    clock: Callable[[], float] = time.time
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _retry_at: float = 0.0

    async def read(self) -> str:
        """The token to use now, renewed when it is about to end. Raises `Fault` when it ended and cannot be renewed."""
        left_seconds = _read_end(self.secrets) - self.clock()
        token = self.secrets["access_token"]
        if (
            left_seconds > EARLY_SECONDS
            or not self._renewable()
            or (left_seconds > 0 and self.clock() < self._retry_at)
        ):
            return token
        try:
            return await self.renew(token)
        except Fault as fault:
            if left_seconds <= 0 or not fault.transient:
                raise
            self._retry_at = self.clock() + RETRY_SECONDS
            return token

    async def renew(self, refused: str) -> str:
        """Another token than the one that was refused. Raises a permanent `Fault` AUTH when there is none to be had."""
        async with self._lock:
            if self.secrets["access_token"] == refused:
                if self.keep_secrets is None or not self._renewable():
                    message = "Shopify does not take the access token any more: connect the channel again."
                    raise Fault(message, transient=False, cause=CauseClass.AUTH)
                self.secrets = await self.keep_secrets(self.secrets, self._fetch)
            return self.secrets["access_token"]

    def _renewable(self) -> bool:
        return self.keep_secrets is not None and all(self.secrets.get(name) for name in NEEDED)

    async def _fetch(self, secrets: Secrets) -> Secrets:
        form = {name: secrets[name] for name in NEEDED} | {"grant_type": "refresh_token"}
        headers = {"Accept": "application/json"}
        try:
            answer = await self.http.post(self.base_url.rstrip("/") + PATH, data=form, headers=headers)
        except httpx.HTTPError as error:
            message = f"Shopify did not renew the access token ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from error
        return {**secrets, **_read_pair(answer, self.clock())}


def _read_end(secrets: Secrets) -> float:
    """When the token ends, in seconds since the epoch; for ever when that is not known: a refusal tells."""
    try:
        return float(secrets["access_token_expires_at"])
    except (KeyError, ValueError):
        return float("inf")


def _read_pair(answer: httpx.Response, now: float) -> dict[str, str]:
    status = answer.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise Fault(f"Shopify answered {status} to a renewal.", transient=True, cause=CauseClass.OUTAGE)
    try:
        body: Any = answer.json()
    except ValueError:
        body = None
    if status != httpx.codes.OK:
        code = body.get("error") if isinstance(body, dict) else None
        message = f"Shopify does not renew the access token ({code or status}): connect the channel again."
        raise Fault(message, transient=False, cause=CauseClass.AUTH)
    if not isinstance(body, dict) or not body.get("access_token") or not body.get("refresh_token"):
        raise Fault("Shopify renewed no token pair.", transient=True, cause=CauseClass.OUTAGE)
    return {
        "access_token": str(body["access_token"]),
        "refresh_token": str(body["refresh_token"]),
        "access_token_expires_at": _write_end(body.get("expires_in"), now),
        "refresh_token_expires_at": _write_end(body.get("refresh_token_expires_in"), now),
    }


def _write_end(seconds: Any, now: float) -> str:
    """Empty when the vendor does not say."""
    return f"{now + seconds:.0f}" if isinstance(seconds, int | float) and not isinstance(seconds, bool) else ""
