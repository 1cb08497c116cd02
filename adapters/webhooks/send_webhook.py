"""Deliver a message to a webhook, signed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import httpx

from adapters.webhooks.sign_webhook import sign
from domain.errors import CauseClass, Fault

USER_AGENT = "Onhand"
SEND_SECONDS_MAX = 5.0


async def send_webhook(http: httpx.AsyncClient, url: str, signing: Sequence[str], message_id: str, body: bytes) -> None:
    """Returns when the receiver answered 2xx. Redirects are not followed.

    Raises `Fault`, permanent for 410: the receiver wants nothing more.
    """
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(signing, message_id, timestamp, body),
    }
    try:
        response = await http.post(url, content=body, headers=headers, follow_redirects=False, timeout=SEND_SECONDS_MAX)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"The webhook did not answer ({type(error).__name__})."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from error
    if not response.is_success:
        gone = response.status_code == httpx.codes.GONE
        raise Fault(f"The webhook answered {response.status_code}.", transient=not gone, cause=CauseClass.OUTAGE)
