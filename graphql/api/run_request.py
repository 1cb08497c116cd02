"""One query or mutation run within its time, counted and traced, whatever transport carried it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog
from graphql import ExecutionResult, OperationType

from api.compile_operation import run_operation
from api.context import Context
from api.documents import InvalidDocument, Operation
from api.errors import ApiError, ErrorCode, format_error
from api.schema import REQUIREMENTS, core
from app.metrics import REQUEST_SECONDS, REQUESTS
from app.tracing import span

if TYPE_CHECKING:
    from api.http import Api

SLOW_SECONDS = 1.0
log = structlog.get_logger()


async def run_request(api: Api, operation: Operation, variables: dict[str, Any], context: Context) -> dict[str, Any]:
    """The GraphQL response. Raises `InvalidDocument` for variables that do not fit, `ApiError` UNAVAILABLE for time."""
    field, started = operation.root_field, time.perf_counter()
    outcome = "error"
    try:
        with span(f"{operation.kind.value} {field}", operation=operation.name):
            result = await _run_in_time(api.state.settings.request_seconds_max, operation, variables, context)
        outcome = "error" if result.errors else "ok"
    except InvalidDocument:
        outcome = "rejected"
        raise
    finally:
        seconds = time.perf_counter() - started
        REQUEST_SECONDS.labels(field).observe(seconds)
        REQUESTS.labels(field, outcome).inc()
        if seconds > SLOW_SECONDS:
            log.warning("slow operation", field=field, seconds=round(seconds, 3), correlation_id=context.request_id)
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [format_error(error, context.request_id) for error in result.errors]
    return answer


async def _run_in_time(
    seconds_max: float, operation: Operation, variables: dict[str, Any], context: Context
) -> ExecutionResult:
    limit = asyncio.timeout(seconds_max)
    try:
        async with limit:
            return await run_operation(core, operation, variables, context, REQUIREMENTS)
    except TimeoutError:
        if not limit.expired():
            raise
    advice = "ask for less at once." if operation.kind is OperationType.QUERY else "repeat it under the same key."
    raise ApiError(ErrorCode.UNAVAILABLE, f"Not done within {seconds_max:g} s: {advice}")
