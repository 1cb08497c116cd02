"""GraphQL errors with a code. Expected refusals are data (`userErrors`); everything unforeseen is masked.

GraphQLError
└── ApiError   carries `extensions.code`
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import structlog
from graphql import GraphQLError

from app.outage import is_outage
from domain.errors import Fault, Refusal

UNAVAILABLE = "The database cannot be reached just now: try again, under the same idempotency key."
log = structlog.get_logger()


class ErrorCode(StrEnum):
    BAD_USER_INPUT = "BAD_USER_INPUT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class ApiError(GraphQLError):
    """An error whose message is meant for the client."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message, extensions={"code": code.value})


def unauthenticated() -> ApiError:
    return ApiError(
        ErrorCode.UNAUTHENTICATED,
        "Send a valid token: `Authorization: Bearer <token>`. This one is missing or ended.",
    )


def format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as clients see it; the cause of an unforeseen one stays in the log, under the correlation id."""
    formatted: dict[str, Any] = dict(error.formatted)
    original = error.original_error
    told = next((one for one in (error, original) if isinstance(one, ApiError)), None)
    if told is not None:
        formatted["extensions"] = dict(told.extensions or {})
    elif original is None or isinstance(original, GraphQLError | Refusal):
        formatted["extensions"] = {"code": ErrorCode.BAD_USER_INPUT.value}
    elif is_outage(original):
        log.warning("unavailable", correlation_id=request_id, path=error.path, error=repr(original))
        formatted["message"] = str(original) if isinstance(original, Fault) else UNAVAILABLE
        formatted["extensions"] = {"code": ErrorCode.UNAVAILABLE.value, "correlationId": request_id}
    else:
        log.error("unforeseen error", correlation_id=request_id, path=error.path, exc_info=original)
        formatted["message"] = "Something went wrong here. Tell us the correlation id."
        formatted["extensions"] = {"code": ErrorCode.INTERNAL.value, "correlationId": request_id}
    return formatted
