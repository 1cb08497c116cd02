"""Global ids: opaque to clients, `<Type>:<key>` in base64url inside."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from uuid import UUID

from domain.errors import Refusal, RefusalCode

INT_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1
NUMBER = re.compile(r"[0-9]{1,19}")
SHOWN_MAX = 100


@lru_cache(maxsize=100_000)
def encode_id(kind: str, key: int | str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def decode_id(value: str, kind: str | None = None, path: tuple[str, ...] = ("id",)) -> tuple[str, str]:
    """The type and key of an id. Raises `Refusal` INVALID_INPUT for what is not one of ours, or of another type."""
    try:
        text = base64.urlsafe_b64decode(value.encode() + b"=" * (-len(value) % 4)).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    found, separator, key = text.partition(":")
    if not separator or not key or (kind is not None and found != kind):
        raise _no_id_of_ours(value, kind, path)
    return found, key


def decode_uuid(value: str, kind: str, path: tuple[str, ...] = ("id",)) -> UUID:
    """The key of an id whose keys are UUIDs. Raises `Refusal` INVALID_INPUT."""
    try:
        return UUID(decode_id(value, kind, path)[1])
    except ValueError:
        raise _no_id_of_ours(value, kind, path) from None


def decode_numbers(
    value: str, kind: str, count: int = 1, path: tuple[str, ...] = ("id",), limit: int = INT_MAX
) -> tuple[int, ...]:
    """The key of an id whose keys are `count` numbers with dots between. Raises `Refusal` INVALID_INPUT.

    `limit`: the greatest that the column holds.
    """
    parts = decode_id(value, kind, path)[1].split(".")
    if len(parts) != count or not all(NUMBER.fullmatch(part) and int(part) <= limit for part in parts):
        raise _no_id_of_ours(value, kind, path)
    return tuple(int(part) for part in parts)


def _no_id_of_ours(value: str, kind: str | None, path: tuple[str, ...]) -> Refusal:
    shown = value if len(value) <= SHOWN_MAX else value[:SHOWN_MAX] + "…"
    message = f"{shown!r} is not the id of a {kind or 'node'}: give one that we gave."
    return Refusal(RefusalCode.INVALID_INPUT, message, path)
