"""Whether a message is signed as the Standard Webhooks specification 1.0 says: the receiver's side."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from adapters.webhooks.sign_webhook import sign

TOLERANCE_SECONDS = 300.0
SIGNATURES_MAX = 20


def verify_webhook(known: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """The message's id; None when it is forged, altered, or not of these minutes. Header names in lower case.

    Args:
        known: Secrets, any of which may have signed it.
        headers: Of the request.
        body: As it came.
        now: Seconds since 1970.
    """
    message_id, given = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not given.isascii() or not given.isdecimal() or len(given) > 12:
        return None
    if abs(now - int(given)) > TOLERANCE_SECONDS:
        return None
    signatures = headers.get("webhook-signature", "").split(" ")[:SIGNATURES_MAX]
    for secret in known:
        right = sign([secret], message_id, int(given), body)
        if any(hmac.compare_digest(right.encode(), one.encode()) for one in signatures):
            return message_id
    return None
