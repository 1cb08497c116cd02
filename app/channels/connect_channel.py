"""Connect a sales channel: where it is, which warehouses it sells from, its policy, its credentials, encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.channels.openers import OPENERS
from app.channels.relay_stock import recompute_desired
from app.channels.seal_credentials import seal_credentials
from app.settings import Settings
from domain.errors import Refusal, RefusalCode

KINDS = ("SHOPIFY", "AMAZON", "EBAY", "B2B")
_CHANNEL = """
INSERT INTO channels (code, name, kind, status, config, credentials, buffer)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, config = excluded.config,
  credentials = excluded.credentials, buffer = excluded.buffer, connected_at = now()
WHERE channels.kind = excluded.kind
RETURNING id
"""
_WAREHOUSES = """
INSERT INTO channel_warehouses (channel_id, warehouse_id, location)
SELECT $1, w.id, g.location FROM unnest($2::text[], $3::text[]) AS g (code, location) JOIN warehouses w USING (code)
ON CONFLICT (channel_id, warehouse_id) DO UPDATE SET location = excluded.location
"""
_FEWER = """
DELETE FROM channel_warehouses cw USING warehouses w
WHERE cw.warehouse_id = w.id AND cw.channel_id = $1 AND NOT w.code = ANY($2::text[])
"""


@dataclass(frozen=True, slots=True)
class ChannelConnect:
    """`warehouses`: location in the channel by warehouse code, empty where the channel has one pool.

    `config` and `secrets`: what the kind of channel needs. `buffer`: units never published.
    """

    code: str
    name: str
    kind: str
    warehouses: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    buffer: int = 0
    status: str = "SHADOW"


async def connect_channel(connection: Any, settings: Settings, wanted: ChannelConnect) -> int:
    """Create the channel, or bring one of that code up to date (its status stays); returns its id.

    Raises `Refusal` INVALID_INPUT, WAREHOUSE_NOT_FOUND, or ALREADY_EXISTS for a code of another kind.
    """
    if wanted.kind not in KINDS:
        raise Refusal(RefusalCode.INVALID_INPUT, f"A channel is one of {', '.join(KINDS)}.", ("kind",))
    sealed = seal_credentials(settings, wanted.secrets) if wanted.kind in OPENERS else None
    codes, locations = list(wanted.warehouses), list(wanted.warehouses.values())
    known = await connection.fetchval("SELECT count(*) FROM warehouses WHERE code = ANY($1::text[])", codes)
    if not codes or known != len(codes):
        message = "A channel sells from warehouses that exist: name at least one."
        raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, message, ("warehouses",))
    config = orjson.dumps(dict(wanted.config)).decode()
    async with connection.transaction():
        channel_id: int | None = await connection.fetchval(
            _CHANNEL, wanted.code, wanted.name, wanted.kind, wanted.status, config, sealed, wanted.buffer
        )
        if channel_id is None:
            message = f"There is already a channel {wanted.code!r} of another kind."
            raise Refusal(RefusalCode.ALREADY_EXISTS, message, ("code",))
        await connection.execute(_WAREHOUSES, channel_id, codes, locations)
        await connection.execute(_FEWER, channel_id, codes)
        await recompute_desired(connection, channel_id=channel_id)
    return channel_id
