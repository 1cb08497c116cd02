"""structlog: JSON lines on standard error."""

from __future__ import annotations

import logging
import sys

import structlog

from app.settings import Settings


def current_request() -> str | None:
    """The id of the request, or of the event a worker is at: in every log line, and kept with what it changes."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def configure_logs(settings: Settings) -> None:
    """Once per process, before anything logs."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
