"""GraphQL errors with a code. Expected refusals are data (`userErrors`); everything unforeseen is masked.

GraphQLError
└── ApiError   carries `extensions.code`
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import structlog
from graphql import GraphQLError

from domain.errors import Fault, Refusal

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
    if isinstance(error, ApiError) or isinstance(original, ApiError):
        formatted["extensions"] = dict((original or error).extensions or {})  # type: ignore[attr-defined]
        return formatted
    if original is None:
        formatted["extensions"] = {"code": ErrorCode.BAD_USER_INPUT.value}
        return formatted
    if isinstance(original, Refusal):
        formatted["extensions"] = {"code": ErrorCode.BAD_USER_INPUT.value}
        return formatted
    if isinstance(original, Fault) and original.transient:
        formatted["extensions"] = {"code": ErrorCode.UNAVAILABLE.value, "correlationId": request_id}
        return formatted
    log.error("unforeseen error", correlation_id=request_id, path=error.path, exc_info=original)
    formatted["message"] = "Something went wrong here. Tell us the correlation id."
    formatted["extensions"] = {"code": ErrorCode.INTERNAL.value, "correlationId": request_id}
    return formatted
