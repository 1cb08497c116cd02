"""Whether a webhook really comes from the shop (HMAC-SHA256 over the raw body, base64), and what its headers say."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from collections.abc import Mapping

from adapters.channels.base import InboundEvent


def verify_webhook(secret: str, body: bytes, signature: str | None) -> bool:
    """Compare in constant time; a missing or malformed signature is simply wrong."""
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(expected, (signature or "").encode())


def read_headers(headers: Mapping[str, str]) -> InboundEvent | None:
    """None when the webhook does not say which one it is."""
    event_id, topic = headers.get("x-shopify-webhook-id"), headers.get("x-shopify-topic")
    if not event_id or not topic:
        return None
    return InboundEvent(event_id, topic, _read_time(headers.get("x-shopify-triggered-at")))


def _read_time(text: str | None) -> datetime.datetime | None:
    try:
        return None if text is None else datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
