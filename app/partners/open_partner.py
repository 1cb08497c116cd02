"""From a partner's row to the adapter that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson

from adapters.channels.threepl.base import Partner
from adapters.channels.threepl.call_provider import ConnectSettings
from adapters.channels.threepl.provider import open_provider
from app.channels.seal_credentials import open_credentials
from app.state import State
from domain.errors import CauseClass, Fault

COLUMNS = """
p.id, p.code, p.warehouse_id, p.kind, p.status, p.config::text AS config, p.sealed, p.webhook, p.webhook_failing_since,
p.silent_seconds, p.tolerance_units, p.tolerance_percent, p.failing_since, p.failures, p.changes_until, p.snapshot_at
"""
CREDENTIALS = ("api_key", "username", "password", "access_token", "connection_context")
Open = Callable[[httpx.AsyncClient, Mapping[str, Any], Mapping[str, str]], Partner]


def open_connect(http: httpx.AsyncClient, config: Mapping[str, Any], secrets: Mapping[str, str]) -> Partner:
    credentials = {name: secrets[name] for name in CREDENTIALS if name in secrets}
    age = float(config.get("snapshot_age_seconds", 0))
    return open_provider(http, ConnectSettings(config["base_url"], config["provider"], credentials, age))


OPENERS: dict[str, Open] = {"CONNECT": open_connect}
"""A kind that is not here calls us, and is told by webhook: our own API."""


def open_partner(state: State, row: Any) -> Partner:
    """Raises a permanent `Fault` when its credentials cannot be opened, or it is not one that is called."""
    opener = OPENERS.get(row["kind"])
    if opener is None:
        raise Fault(f"Partner {row['code']} is not called: it asks us.", transient=False, cause=CauseClass.POLICY)
    return opener(state.http, read_config(row), open_credentials(state.settings, row["sealed"]))


def read_config(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row["config"])
    return found
