"""Take in a channel's webhook: verified, stored raw, deduplicated; the work is done later by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import orjson

from adapters.channels.shopify.verify_webhook import verify_webhook
from app.channels.connect_channel import open_credentials
from app.state import State

_STORE = """
INSERT INTO inbound_events (channel_id, external_id, topic, headers, body)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (channel_id, external_id) DO NOTHING RETURNING id
"""


class Receipt(StrEnum):
    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    FORGED = "FORGED"
    INCOMPLETE = "INCOMPLETE"


async def receive_event(state: State, code: str, headers: Mapping[str, str], body: bytes) -> Receipt:
    """`headers` with lower-case names. An unknown channel answers like a wrong signature."""
    channel = await state.database.hot.fetchrow(
        "SELECT id, credentials FROM channels WHERE code = $1 AND kind = 'SHOPIFY'", code
    )
    if channel is None:
        return Receipt.FORGED
    secret = open_credentials(state.settings, channel["credentials"])["webhook_secret"]
    if not verify_webhook(secret, body, headers.get("x-shopify-hmac-sha256")):
        return Receipt.FORGED
    event_id, topic = headers.get("x-shopify-webhook-id"), headers.get("x-shopify-topic")
    if not event_id or not topic:
        return Receipt.INCOMPLETE
    kept = {name: value for name, value in headers.items() if name.startswith("x-shopify-") and "hmac" not in name}
    stored = await state.database.hot.fetchval(
        _STORE, channel["id"], event_id, topic, orjson.dumps(kept).decode(), body
    )
    if stored is None:
        return Receipt.DUPLICATE
    state.doorbell.ring("push")
    return Receipt.STORED
