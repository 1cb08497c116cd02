"""What a kind of channel is connected with: settings that anybody may see, and credentials that nobody may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from domain.errors import Refusal, RefusalCode

TEXT_LENGTH_MAX = 4_000
URLS = frozenset({"base_url", "lwa_url", "queue_url", "endpoint"})
KEPT_BEFORE = {"webhook_secret": "previous_webhook_secret"}
"""Credentials whose former value still counts for a while, and the name it is kept under."""

OF_TOKEN = frozenset({"refresh_token", "access_token_expires_at", "refresh_token_expires_at"})
"""What belongs to one access token, and says nothing of another."""


@dataclass(frozen=True, slots=True)
class Connection:
    """`name`: what the input calls it, as in `shopify`."""

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def choose_connection(given: Sequence[Connection | None], *, required: bool) -> Connection | None:
    """The one connection that was given. Raises `Refusal` INVALID_INPUT for several, for none where one must be."""
    found = [one for one in given if one is not None]
    if len(found) > 1 or (required and not found):
        message = "Give exactly one of shopify, amazon, ebay and b2b."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (found[1].name if found else "shopify",))
    if not found:
        return None
    for name, value in {**found[0].config, **found[0].secrets}.items():
        _check_value(name, value, found[0].name)
    return found[0]


def _check_value(name: str, value: Any, kind: str) -> None:
    path = (kind, to_camel(name))
    if isinstance(value, str) and (not value.strip() or len(value) > TEXT_LENGTH_MAX or "\x00" in value):
        message = f"{path[1]} has 1 to {TEXT_LENGTH_MAX} characters of plain text."
        raise Refusal(RefusalCode.INVALID_INPUT, message, path)
    if name in URLS and not _is_url(value):
        message = f"{path[1]} is an address such as https://shop.example, without a user or password in it."
        raise Refusal(RefusalCode.INVALID_INPUT, message, path)


def _is_url(value: Any) -> bool:
    try:
        parts = urlsplit(str(value))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def merge_secrets(known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """New credentials over the known ones; what may still be in use is kept under another name."""
    kept = {name: value for name, value in known.items() if name not in OF_TOKEN or "access_token" not in given}
    merged = {**kept, **given}
    for name, before in KEPT_BEFORE.items():
        if name in given and known.get(name) not in (None, given[name]):
            merged[before] = known[name]
    return merged


def to_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
