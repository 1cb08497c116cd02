"""Staff tokens of an OpenID provider: signature by its JWKS, roles by claim."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Any

import httpx
import jwt
import structlog

from app.settings import Settings
from domain.identity import Principal, Role

KEYS_SECONDS = 600.0
KEYS_AGAIN_SECONDS = 10.0
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "EdDSA"]
log = structlog.get_logger()


class JwtVerifier:
    """Verifies with the provider's keys, fetched at most every `KEYS_AGAIN_SECONDS` (RFC 7517, RFC 7519)."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._keys: dict[str, Any] = {}
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Principal | None:
        """The principal; None when the token is not valid, or the provider's keys cannot be read.

        A token made for another audience is not valid, however well it is signed.
        """
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,  # which names its algorithm: the token does not choose
                algorithms=ALGORITHMS,
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
            return self._principal(claims)
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError, OSError) as error:
            log.info("jwt refused", reason=type(error).__name__)
            return None

    def _principal(self, claims: dict[str, Any]) -> Principal:
        """Someone with no role of ours is known and may do nothing."""
        roles = frozenset(Role(name) for name in read_roles(claims, self._settings.jwt_roles_claim))
        return Principal(
            id=f"jwt:{claims['sub']}",
            name=str(claims.get("name") or claims.get("email") or claims["sub"]),
            roles=roles,
            expires_at=datetime.datetime.fromtimestamp(claims["exp"], datetime.UTC),
        )

    async def _key(self, kid: str) -> Any:
        async with self._lock:
            age = time.monotonic() - self._read_at
            if age > KEYS_SECONDS or (kid not in self._keys and age > KEYS_AGAIN_SECONDS):
                await self._read_keys()
        return self._keys.get(kid)

    async def _read_keys(self) -> None:
        self._read_at = time.monotonic()
        try:
            response = await self._client.get(str(self._settings.jwt_jwks_url))
            response.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(response.json())
        except (httpx.HTTPError, jwt.PyJWTError, AttributeError, TypeError, ValueError) as error:
            log.warning("jwks not read", error=str(error))
            return
        self._keys = {key.key_id or "": key for key in keys.keys}


def read_roles(claims: dict[str, Any], path: str) -> list[str]:
    """The roles of ours that a claim names: a list, or a text with blanks between; `a.b` is `b` within `a`."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    named = found.split() if isinstance(found, str) else found
    if not isinstance(named, list):
        return []
    return [name for name in named if isinstance(name, str) and name in Role.__members__]
