"""Whether a webhook really comes from the shop: HMAC-SHA256 over the raw body, base64."""

from __future__ import annotations

import base64
import hashlib
import hmac


def verify_webhook(secret: str, body: bytes, signature: str | None) -> bool:
    """Compare in constant time; a missing or malformed signature is simply wrong."""
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(expected, (signature or "").encode())
