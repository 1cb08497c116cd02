"""The public keys eBay signs its events with, by their id: kept for an hour, few, and fetched at a bounded rate.

Anybody can send a forged event that names a made-up key. Each would cost a call of the day's, so a key that eBay does
not know is remembered too, and no more than a few are asked for in a minute.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.channels.ebay.announce_limits import NOTIFICATION
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import EbayFault
from adapters.channels.ebay.request import Request
from domain.errors import CauseClass, Fault

PATH = "/commerce/notification/v1/public_key"
KEYS_MAX = 32
KEPT_SECONDS = 3_600.0
UNKNOWN_SECONDS = 300.0
FETCHES_MAX = 6
FETCHES_SECONDS = 60.0

_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}


@dataclass(frozen=True, slots=True)
class PublicKey:
    key: ec.EllipticCurvePublicKey
    digest: hashes.HashAlgorithm

    def verifies(self, signature: bytes, body: bytes) -> bool:
        try:
            self.key.verify(signature, body, ec.ECDSA(self.digest))
        except InvalidSignature:
            return False
        return True


@dataclass(slots=True)
class PublicKeys:
    client: EbayClient
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, tuple[PublicKey | None, float]] = field(default_factory=OrderedDict)
    _fetched_at: deque[float] = field(default_factory=lambda: deque(maxlen=FETCHES_MAX))
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, key_id: str) -> PublicKey | None:
        """None when eBay has no such key. Raises a transient `Fault` when it cannot be asked now."""
        known = self._find(key_id)
        if known is None:
            async with self._lock:  # one asks, the others find what it got
                known = self._find(key_id) or (await self._fetch(key_id),)
        return known[0]

    def _find(self, key_id: str) -> tuple[PublicKey | None] | None:
        key, stale_at = self._kept.get(key_id, (None, 0.0))
        return (key,) if self.clock() < stale_at else None

    async def _fetch(self, key_id: str) -> PublicKey | None:
        full = len(self._fetched_at) == FETCHES_MAX
        if full and self.clock() - self._fetched_at[0] < FETCHES_SECONDS:
            message = "Too many unknown signing keys were asked for within a minute."
            raise Fault(message, transient=True, cause=CauseClass.QUOTA)
        self._fetched_at.append(self.clock())
        try:
            reply = await self.client.call(Request("GET", f"{PATH}/{key_id}", NOTIFICATION, application=True))
        except EbayFault as fault:
            if fault.status not in {400, 404}:
                raise
            return self._keep(key_id, None, UNKNOWN_SECONDS)
        return self._keep(key_id, parse_key(reply.body), KEPT_SECONDS)

    def _keep(self, key_id: str, key: PublicKey | None, seconds: float) -> PublicKey | None:
        self._kept[key_id] = (key, self.clock() + seconds)
        self._kept.move_to_end(key_id)
        while len(self._kept) > KEYS_MAX:
            self._kept.popitem(last=False)
        return key


def parse_key(body: Any) -> PublicKey:
    """eBay's PEM comes on one line. Raises a transient `Fault` for anything but an elliptic curve key."""
    try:
        text = str(body["key"])
        der = base64.b64decode("".join(text.split("-----")[2].split()), validate=True)
        key = serialization.load_der_public_key(der)
        digest = _DIGESTS[str(body["digest"]).upper()]()
    except (TypeError, KeyError, IndexError, ValueError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Fault("eBay's public key cannot be read.", transient=True, cause=CauseClass.OUTAGE)
    return PublicKey(key, digest)
