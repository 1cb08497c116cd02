"""Whether an event really comes from eBay: X-EBAY-SIGNATURE over the raw body, checked before the body is parsed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.channels.base import InboundEvent
from adapters.channels.ebay.fetch_key import PublicKeys
from adapters.channels.ebay.read_time import parse_time
from domain.errors import CauseClass, Fault

HEADER = "x-ebay-signature"
HEADER_LENGTH_MAX = 2_048
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Signature:
    key_id: str
    signature: bytes


async def verify_event(keys: PublicKeys, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
    """None for a forged event. Raises a transient `Fault` when the key cannot be had now: let eBay send again."""
    signature = read_signature(headers.get(HEADER, ""))
    if signature is None:
        return None
    key = await keys.get(signature.key_id)
    if key is None or not key.verifies(signature.signature, body):
        return None
    return read_envelope(body)


def read_signature(header: str) -> Signature | None:
    """base64 of {alg, kid, signature, digest}. The digest is taken from the key, not from whoever sent this."""
    if not header or len(header) > HEADER_LENGTH_MAX:
        return None
    try:
        raw = orjson.loads(base64.b64decode(header, validate=True))
        key_id, signature = raw["kid"], base64.b64decode(raw["signature"], validate=True)
    except (binascii.Error, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        return None
    return Signature(key_id, signature)


def read_envelope(body: bytes) -> InboundEvent:
    """Raises a permanent `Fault`: eBay signed something that is no event."""
    try:
        raw: Any = orjson.loads(body)
        notification = raw["notification"]
        at = notification.get("eventDate")
        return InboundEvent(
            str(notification["notificationId"]), str(raw["metadata"]["topic"]), parse_time(at) if at else None
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Fault("eBay's event cannot be read.", transient=False, cause=CauseClass.UNKNOWN) from None
