"""Connect a sales channel: where it is, which warehouses it sells from, and its credentials, encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from adapters.channels.shopify.channel import ShopifyChannel
from adapters.channels.shopify.client import ShopifyClient
from app.settings import Settings
from domain.errors import Fault, Refusal, RefusalCode

_CHANNEL = """
INSERT INTO channels (code, name, kind, base_url, location_id, credentials, buffer)
VALUES ($1, $2, 'SHOPIFY', $3, $4, $5, $6)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, base_url = excluded.base_url,
  location_id = excluded.location_id, credentials = excluded.credentials, buffer = excluded.buffer
RETURNING id
"""
_WAREHOUSES = """
INSERT INTO channel_warehouses (channel_id, warehouse_id)
SELECT $1, id FROM warehouses WHERE code = ANY($2::text[]) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ChannelConnect:
    """`warehouses`: codes it sells from; `buffer`: units never published."""

    code: str
    name: str
    base_url: str
    location_id: str
    access_token: str
    webhook_secret: str
    warehouses: Sequence[str]
    buffer: int = 0


async def connect_channel(connection: Any, settings: Settings, wanted: ChannelConnect) -> int:
    """Create the channel, or bring one of that code up to date; returns its id. Raises `Refusal`."""
    secrets = {"access_token": wanted.access_token, "webhook_secret": wanted.webhook_secret}
    sealed = _fernet(settings).encrypt(orjson.dumps(secrets))
    known = await connection.fetchval(
        "SELECT count(*) FROM warehouses WHERE code = ANY($1::text[])", list(wanted.warehouses)
    )
    if not wanted.warehouses or known != len(set(wanted.warehouses)):
        raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, "A channel sells from warehouses that exist: name at least one.")
    async with connection.transaction():
        channel_id: int = await connection.fetchval(
            _CHANNEL, wanted.code, wanted.name, wanted.base_url, wanted.location_id, sealed, wanted.buffer
        )
        await connection.execute(_WAREHOUSES, channel_id, list(wanted.warehouses))
    return channel_id


def open_credentials(settings: Settings, sealed: bytes | None) -> dict[str, str]:
    """Raises a permanent `Fault` when no key opens them."""
    try:
        secrets: dict[str, str] = orjson.loads(_fernet(settings).decrypt(sealed or b""))
    except InvalidToken as error:
        message = "The channel's credentials were sealed with another key: add it to ONHAND_SECRET_KEY."
        raise Fault(message, transient=False) from error
    return secrets


def open_channel(http: httpx.AsyncClient, settings: Settings, record: Any) -> ShopifyChannel:
    """The adapter of a row of `channels` (base_url, location_id, credentials)."""
    secrets = open_credentials(settings, record["credentials"])
    client = ShopifyClient(http, record["base_url"], secrets["access_token"])
    return ShopifyChannel(client, record["location_id"])


def _fernet(settings: Settings) -> MultiFernet:
    keys = [key.strip() for key in (settings.secret_key or "").split(",") if key.strip()]
    if not keys:
        raise Refusal(RefusalCode.INVALID_INPUT, "Set ONHAND_SECRET_KEY first: channel credentials are kept encrypted.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        message = "ONHAND_SECRET_KEY must hold Fernet keys: 32 bytes in URL-safe base64."
        raise Refusal(RefusalCode.INVALID_INPUT, message) from None
