"""Signatures of the Standard Webhooks specification 1.0: symmetric, `v1`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64


def make_secret() -> str:
    """A new signing secret in the form that the specification gives it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether it is `whsec_` and 24 to 64 bytes in base64."""
    try:
        return text.startswith(PREFIX) and SECRET_BYTES_MIN <= len(_key(text)) <= SECRET_BYTES_MAX
    except (binascii.Error, ValueError):
        return False


def sign(signing: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: a signature by each secret, so that a receiver may know either.

    Args:
        signing: Secrets as `make_secret` makes them, newest first.
        message_id: The same on every attempt.
        timestamp: Of this attempt, seconds since 1970.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.new(_key(secret), content, hashlib.sha256).digest() for secret in signing]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
