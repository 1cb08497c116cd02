"""Adapters of the connected channels, opened once per process: they remember access tokens and what they sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from adapters.channels.base import Channel, Quota
from adapters.channels.shopify.channel import SHOPIFY_BUCKETS, open_shopify
from app.settings import Settings
from domain.errors import CauseClass, Fault, Refusal, RefusalCode

COLUMNS = "id, code, name, kind, status, config::text AS config, credentials"
Opener = Callable[[httpx.AsyncClient, Quota, Mapping[str, Any], Mapping[str, str]], Channel]
Buckets = Mapping[str, tuple[float, float]]
OPENERS: dict[str, tuple[Opener, Buckets]] = {"SHOPIFY": (open_shopify, SHOPIFY_BUCKETS)}
"""By kind: (HTTP client, quota, configuration, credentials) to the adapter, and its vendor's (rate, burst) budgets."""


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A row of `channels` with its adapter. `adapter` is None for a kind that is told nothing (B2B)."""

    id: int
    code: str
    kind: str
    status: str
    adapter: Channel | None


@dataclass(slots=True)
class ChannelBook:
    """Open adapters by channel. One whose configuration or credentials changed is opened anew."""

    http: httpx.AsyncClient
    settings: Settings
    quota_of: Callable[[str, Buckets], Quota]
    _known: dict[int, tuple[bytes, Channel]] = field(default_factory=dict)

    def open(self, record: Any) -> OpenChannel:
        """From a row with `COLUMNS`. Raises a permanent `Fault` when its credentials cannot be opened."""
        opener = OPENERS.get(record["kind"])
        adapter = None if opener is None else self._adapter(record, *opener)
        return OpenChannel(record["id"], record["code"], record["kind"], record["status"], adapter)

    def _adapter(self, record: Any, opener: Opener, buckets: Buckets) -> Channel:
        mark = hashlib.blake2b(record["config"].encode() + b"\0" + (record["credentials"] or b"")).digest()
        known = self._known.get(record["id"])
        if known is not None and known[0] == mark:
            return known[1]
        secrets = open_credentials(self.settings, record["credentials"])
        quota = self.quota_of(record["code"], buckets)
        adapter = opener(self.http, quota, orjson.loads(record["config"]), secrets)
        self._known[record["id"]] = (mark, adapter)
        return adapter


def seal_credentials(settings: Settings, secrets: Mapping[str, str]) -> bytes:
    """Raises `Refusal` INVALID_INPUT without a key."""
    return read_keys(settings).encrypt(orjson.dumps(dict(secrets)))


def open_credentials(settings: Settings, sealed: bytes | None) -> dict[str, str]:
    """Raises a permanent `Fault` when no key opens them."""
    if sealed is None:
        return {}
    try:
        secrets: dict[str, str] = orjson.loads(read_keys(settings).decrypt(sealed))
    except InvalidToken as error:
        message = "The channel's credentials were sealed with another key: add it to ONHAND_SECRET_KEY."
        raise Fault(message, transient=False, cause=CauseClass.AUTH) from error
    return secrets


def read_keys(settings: Settings) -> MultiFernet:
    """The first key seals; all of them open, so that keys can be rotated. Raises `Refusal` INVALID_INPUT."""
    keys = [key.strip() for key in (settings.secret_key or "").split(",") if key.strip()]
    if not keys:
        raise Refusal(RefusalCode.INVALID_INPUT, "Set ONHAND_SECRET_KEY first: channel credentials are kept encrypted.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        message = "ONHAND_SECRET_KEY must hold Fernet keys: 32 bytes in URL-safe base64."
        raise Refusal(RefusalCode.INVALID_INPUT, message) from None
