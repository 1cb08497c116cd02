"""Whether a notification really came off our queue.

Amazon does not sign notifications: they are delivered to an SQS queue that only Amazon may write to and only we may
read, so a body is as good as the queue it was received from. Whoever receives it seals it, with a key derived from the
connection's secret; a body without that seal, such as anything posted to the webhook door, is forged.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from adapters.channels.amazon.connection import AmazonConnection
from adapters.channels.amazon.read_event import read_envelope
from adapters.channels.base import InboundEvent

SEAL_HEADER = "x-onhand-queue-seal"
PURPOSE = b"onhand amazon queue 1\n"


def seal_event(connection: AmazonConnection, body: bytes) -> dict[str, str]:
    """The headers under which a body received from the queue is handed in."""
    return {SEAL_HEADER: _seal(connection, body)}


def verify_event(connection: AmazonConnection, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
    """None without the right seal, compared in constant time before anything is parsed."""
    given = headers.get(SEAL_HEADER, "")
    if not hmac.compare_digest(_seal(connection, body).encode(), given.encode()):
        return None
    return read_envelope(body)


def _seal(connection: AmazonConnection, body: bytes) -> str:
    return hmac.new(connection.client_secret.encode(), PURPOSE + body, hashlib.sha256).hexdigest()
