"""What makes a mutation happen once: the caller's key bound to who called what with which input."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit

from adapters.postgres.idempotency import IdempotentCall, hash_input
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Remarks

KEY_LENGTH_MAX = 200
REASON_LENGTH_MAX = 100
URL_LENGTH_MAX = 2_000
OCCURRED_MIN = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
CLOCK_SKEW = datetime.timedelta(minutes=5)
"""A caller's clock may be ahead of ours by this much."""


def make_call(
    principal: Principal, operation: str, key: str | None, command: object, *, keeps_refusals: bool = True
) -> IdempotentCall | None:
    """None without a key. Raises `Refusal` INVALID_INPUT for a key that is empty, too long or not plain text.

    `keeps_refusals`: whether a refusal is an answer for good, or may be done later under the same key.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH_MAX or "\x00" in key:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"An idempotency key has 1 to {KEY_LENGTH_MAX} characters.",
            ("idempotencyKey",),
        )
    return IdempotentCall(principal.id, key, operation, hash_input(command), keeps_refusals)


def check_text(value: str | None, field: str, length_max: int = 500, *, path: tuple[str, ...] = ()) -> None:
    """Refuse text that is too long or holds a NUL, which PostgreSQL cannot store. `path`: of what has the field."""
    if value is not None and (len(value) > length_max or "\x00" in value):
        raise Refusal(
            RefusalCode.INVALID_INPUT, f"{field} has at most {length_max} characters of plain text.", (*path, field)
        )


def check_remarks(remarks: Remarks) -> None:
    """Refuse a blank reason, and remarks that are too long."""
    if not remarks.reason.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Say the reason: COUNT, DAMAGE, or one of your own.", ("reason",))
    check_text(remarks.reason, "reason", REASON_LENGTH_MAX)
    check_text(remarks.note, "note")
    check_text(remarks.reference, "reference")


def check_moment(occurred_at: datetime.datetime | None) -> None:
    """Refuse a time before `OCCURRED_MIN` or in the future. None: now."""
    if occurred_at is None:
        return
    if not OCCURRED_MIN <= occurred_at <= datetime.datetime.now(datetime.UTC) + CLOCK_SKEW:
        message = f"It occurred between {OCCURRED_MIN:%Y} and now: correct the time."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("occurredAt",))


def is_web(url: str) -> bool:
    """Whether something can be sent there: http or https, a host, no name or password in it."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = len(url) <= URL_LENGTH_MAX and url.isprintable() and " " not in url and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_fine and plain
