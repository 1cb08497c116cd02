"""From an Authorization header to a principal, remembered for a moment."""

from __future__ import annotations

import datetime
import time
from collections import OrderedDict

from adapters.postgres.database import Database
from app.identity.tokens import SECRET_PREFIX, find_principal
from app.identity.verify_jwt import JwtVerifier
from domain.identity import Principal

REMEMBERED_MAX = 10_000


class Authenticator:
    """Looks up bearer tokens and remembers what it found for `seconds`, so a revocation is seen within that time."""

    def __init__(self, database: Database, seconds: float, jwt: JwtVerifier | None) -> None:
        self._database = database
        self._seconds = seconds
        self._jwt = jwt
        self._known: OrderedDict[str, tuple[float, Principal | None]] = OrderedDict()

    def forget(self, _: str = "") -> None:
        """Look everything up anew: a token was changed."""
        self._known.clear()

    def recall(self, authorization: str | None) -> Principal | None:
        """The principal, if it is remembered: saves the hot path a coroutine."""
        known = self._known.get(authorization or "")
        if known is None or time.monotonic() >= known[0]:
            return None
        return _unless_expired(known[1])

    async def authenticate(self, authorization: str | None) -> Principal | None:
        """The principal of `Bearer …`; None when there is none."""
        if not authorization:
            return None
        known = self._known.get(authorization)
        if known is not None and time.monotonic() < known[0]:
            return _unless_expired(known[1])
        principal = await self._look_up(authorization)
        self._known[authorization] = (time.monotonic() + self._seconds, principal)
        self._known.move_to_end(authorization)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return principal

    async def _look_up(self, authorization: str) -> Principal | None:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return None
        if secret.startswith(SECRET_PREFIX):
            return await find_principal(self._database, secret)
        return None if self._jwt is None else await self._jwt.verify(secret)


def _unless_expired(principal: Principal | None) -> Principal | None:
    if principal is None or principal.expires_at is None:
        return principal
    return principal if principal.expires_at > datetime.datetime.now(datetime.UTC) else None
