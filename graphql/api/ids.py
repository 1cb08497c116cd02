"""Global ids: opaque to clients, `<Type>:<key>` in base64url inside."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from domain.errors import Refusal, RefusalCode


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
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"{value!r} is not the id of a {kind or 'node'}: give one that we gave.",
            path,
        )
    return found, key
