"""OAuth: POST /identity/v1/oauth2/token. Access tokens live in memory only: a restart makes every client refresh."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.ebay.config import AccountConfig
from adapters.sandbox.ebay.state import now, trim
from adapters.sandbox.respond import JsonResponse

TOKENS_MAX = 1_000
BODY_BYTES_MAX = 10_000


class TokenKind(StrEnum):
    """An application token sees no seller's data."""

    USER = "User Access Token"
    APPLICATION = "Application Access Token"


@dataclass(slots=True)
class Tokens:
    config: AccountConfig
    issued: OrderedDict[str, tuple[TokenKind, float]] = field(default_factory=OrderedDict)
    grants: int = 0

    async def grant(self, request: Request) -> Response:
        if not self._is_client(request.headers.get("authorization", "")):
            return _refuse(401, "invalid_client", "client authentication failed")
        body = (await request.body())[:BODY_BYTES_MAX]
        fields = {name: values[0] for name, values in parse_qs(body.decode("latin-1"), max_num_fields=10).items()}
        grant = fields.get("grant_type")
        if grant == "client_credentials":
            if not fields.get("scope"):
                return _refuse(400, "invalid_scope", "the requested scope is invalid, unknown or malformed")
            return self._issue(TokenKind.APPLICATION)
        if grant != "refresh_token":
            return _refuse(400, "unsupported_grant_type", "grant type in request is not supported")
        if not _same(fields.get("refresh_token", ""), self.config.refresh_token):
            return _refuse(400, "invalid_grant", "the provided authorization refresh token is invalid")
        return self._issue(TokenKind.USER)

    def _is_client(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and _same(given, f"{self.config.client_id}:{self.config.client_secret}")

    def _issue(self, kind: TokenKind) -> Response:
        self.grants += 1
        token = f"v^1.1#i^1#{secrets.token_urlsafe(24)}"
        self.issued[token] = (kind, now() + self.config.token_seconds)
        trim(self.issued, TOKENS_MAX)
        expires_in = max(1, int(self.config.token_seconds))
        return JsonResponse({"access_token": token, "expires_in": expires_in, "token_type": kind.value})

    def find(self, token: str) -> TokenKind | None:
        """None for a token that was never issued, expired or was revoked."""
        kind, expires_at = self.issued.get(token, (None, 0.0))
        return kind if expires_at > now() else None

    def revoke(self, token: str) -> None:
        self.issued.pop(token, None)


def _same(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode(), own.encode())


def _refuse(status: int, code: str, message: str) -> Response:
    return JsonResponse({"error": code, "error_description": message}, status)
