"""Login with Amazon: POST /auth/o2/token, the refresh_token grant."""

from __future__ import annotations

import hmac
import uuid
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import now
from adapters.sandbox.respond import JsonResponse

BODY_BYTES_MAX = 20_000
TOKENS_MAX = 1_000


async def grant_token(market: Market, request: Request) -> Response:
    """Tokens live in memory: after a restart none is good, and clients refresh."""
    if market.faults.strike(FaultKind.TOKEN_SERVICE_DOWN):
        return _refuse(500, "server_error", "Internal server error.")
    body = await request.body()
    try:
        form = parse_qs(body[:BODY_BYTES_MAX].decode(), max_num_fields=20)
    except ValueError:
        form = {}
    given = {name: values[-1] for name, values in form.items()}
    if given.get("grant_type") != "refresh_token":
        return _refuse(400, "unsupported_grant_type", "The sandbox grants by refresh_token.")
    config = market.config
    if not _is_same(given, "client_id", config.client_id) or not _is_same(given, "client_secret", config.client_secret):
        return _refuse(401, "invalid_client", "Client authentication failed.")
    if not _is_same(given, "refresh_token", config.refresh_token):
        return _refuse(400, "invalid_grant", "The request has an invalid grant parameter: refresh_token.")
    return JsonResponse(
        {
            "access_token": _issue_token(market),
            "refresh_token": config.refresh_token,
            "token_type": "bearer",
            "expires_in": int(config.token_seconds),
        }
    )


def _issue_token(market: Market) -> str:
    token = f"Atza|{uuid.uuid4().hex}"
    market.tokens[token] = now() + market.config.token_seconds
    while len(market.tokens) > TOKENS_MAX:
        del market.tokens[next(iter(market.tokens))]
    return token


def _is_same(given: dict[str, str], name: str, expected: str) -> bool:
    return hmac.compare_digest(given.get(name, "").encode(), expected.encode())


def _refuse(status: int, error: str, description: str) -> Response:
    return JsonResponse({"error": error, "error_description": description}, status)
