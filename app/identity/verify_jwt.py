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
        """The principal; None when the token is not valid, or the provider's keys cannot be read."""
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                options={"require": ["exp", "sub"], "verify_aud": self._settings.jwt_audience is not None},
            )
        except jwt.PyJWTError as error:
            log.info("jwt refused", reason=type(error).__name__)
            return None
        return self._principal(claims)

    def _principal(self, claims: dict[str, Any]) -> Principal:
        named = claims.get(self._settings.jwt_roles_claim) or []
        roles = frozenset(Role(name) for name in named if name in Role.__members__)
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
        except (httpx.HTTPError, jwt.PyJWTError, ValueError) as error:
            log.warning("jwks not read", error=str(error))
            return
        self._keys = {key.key_id or "": key.key for key in keys.keys}
