"""Take in a channel's event: verified on its raw body, stored raw, deduplicated; a worker reads it later."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

from adapters.channels.base import InboundEvent
from adapters.channels.subscribe_events import ChallengedChannel
from app.channels.keep_subscribed import write_address
from app.channels.open_channel import COLUMNS, OpenChannel
from app.state import State
from domain.errors import Fault

SECRET_WORDS = ("authorization", "cookie", "hmac", "signature", "token", "secret")
HEADER_PREFIXES = ("x-", "content-type", "user-agent", "webhook-")
_CHANNEL = f"SELECT {COLUMNS} FROM channels WHERE code = $1 AND kind = $2"  # noqa: S608
_STORE = """
INSERT INTO inbound_events (channel_id, external_id, topic, headers, body, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (channel_id, external_id) DO NOTHING RETURNING id
"""


class Receipt(StrEnum):
    """`LATER`: it cannot be verified now, and the vendor is to send it again."""

    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    FORGED = "FORGED"
    LATER = "LATER"


async def receive_event(state: State, kind: str, code: str, headers: Mapping[str, str], body: bytes) -> Receipt:
    """`headers` with lower-case names. An unknown channel answers like a wrong signature, one whose credentials do not
    open here asks for it again.
    """
    try:
        channel = await find_channel(state, kind, code)
    except Fault:
        return Receipt.LATER
    return Receipt.FORGED if channel is None else await store_event(state, channel, headers, body)


async def store_event(state: State, channel: OpenChannel, headers: Mapping[str, str], body: bytes) -> Receipt:
    """Verify an event of this channel and keep it, once."""
    if channel.adapter is None:
        return Receipt.FORGED
    try:
        event = await channel.adapter.verify_event(headers, body)
    except Fault:
        return Receipt.LATER
    if event is None:
        return Receipt.FORGED
    stored = await state.database.hot.fetchval(
        _STORE, channel.id, event.event_id, event.topic, _keep_headers(headers), body, event.occurred_at
    )
    if stored is None:
        return Receipt.DUPLICATE
    state.doorbell.ring("events")
    return Receipt.STORED


async def store_record(state: State, channel_id: int, event: InboundEvent, body: bytes) -> Receipt:
    """What was asked for over a connection of ours, which needs no proof."""
    stored = await state.database.hot.fetchval(
        _STORE, channel_id, event.event_id, event.topic, "{}", body, event.occurred_at
    )
    if stored is None:
        return Receipt.DUPLICATE
    state.doorbell.ring("events")
    return Receipt.STORED


async def answer_challenge(state: State, kind: str, code: str, challenge: str) -> str | None:
    """The proof that the endpoint is ours; None when the channel knows no challenges."""
    try:
        channel = await find_channel(state, kind, code)
        adapter: object = None if channel is None else channel.adapter
        if not isinstance(adapter, ChallengedChannel):
            return None
        return adapter.answer_challenge(challenge, write_address(state.settings, kind, code))
    except Fault:
        return None


async def find_channel(state: State, kind: str, code: str) -> OpenChannel | None:
    """Raises `Fault` when its credentials cannot be opened."""
    record: Any = await state.database.hot.fetchrow(_CHANNEL, code, kind.upper())
    return None if record is None else state.channels.open(record)


def _keep_headers(headers: Mapping[str, str]) -> str:
    kept = {
        name: value
        for name, value in headers.items()
        if name.startswith(HEADER_PREFIXES) and not any(word in name for word in SECRET_WORDS)
    }
    return orjson.dumps(kept).decode()
