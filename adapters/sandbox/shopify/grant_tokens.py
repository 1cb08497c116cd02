"""Access tokens that end after an hour, and the refresh token that gives the next pair.

A refresh token is taken again until the one it gave was used, so that a lost answer locks nobody out; each time it
gives another pair, and only the last pair given is good.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Any
from urllib.parse import parse_qsl

import orjson

from adapters.sandbox.shopify.state import State, now

REFRESH_SECONDS = 90 * 86_400
FIELDS_MAX = 10


class GrantError(Exception):
    """Why no token is given: the OAuth error code, and the HTTP status it comes with."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


def opens_api(state: State, given: str) -> bool:
    tokens = state.tokens
    ended = tokens.expires_at is not None and tokens.expires_at <= now()
    return state.installed and not ended and hmac.compare_digest(given.encode(), tokens.access.encode())


def end_token(state: State) -> None:
    """The access token works no longer; one that cannot be renewed stays as it is."""
    if state.tokens.refresh is not None:
        state.tokens.expires_at = now()


def read_grant(body: bytes) -> dict[str, Any]:
    """A form or JSON. Raises GrantError 400."""
    try:
        if body.lstrip().startswith(b"{"):
            raw: Any = orjson.loads(body)
        else:
            raw = dict(parse_qsl(body.decode(), max_num_fields=FIELDS_MAX))
    except ValueError:
        raise GrantError(400, "invalid_request") from None
    return raw if isinstance(raw, dict) else {}


def grant_tokens(state: State, given: dict[str, Any]) -> dict[str, Any]:
    """The next pair. Raises GrantError with nothing changed."""
    config, tokens = state.config, state.tokens
    if given.get("grant_type") != "refresh_token":
        raise GrantError(400, "unsupported_grant_type")
    if not _same(given.get("client_id"), config.client_id) or not _same(
        given.get("client_secret"), config.client_secret
    ):
        raise GrantError(401, "invalid_client")
    offered = given.get("refresh_token")
    if not state.installed or not (_same(offered, tokens.refresh) or _same(offered, tokens.previous)):
        raise GrantError(400, "invalid_grant")
    tokens.previous = str(offered)
    tokens.access, tokens.refresh = f"shpat_{uuid.uuid4().hex}", f"shprt_{uuid.uuid4().hex}"
    tokens.expires_at = now() + config.token_seconds
    state.touch()
    return {
        "access_token": tokens.access,
        "scope": ",".join(sorted(config.scopes)),
        "expires_in": int(config.token_seconds),
        "refresh_token": tokens.refresh,
        "refresh_token_expires_in": REFRESH_SECONDS,
    }


def _same(given: Any, wanted: str | None) -> bool:
    return isinstance(given, str) and wanted is not None and hmac.compare_digest(given.encode(), wanted.encode())
