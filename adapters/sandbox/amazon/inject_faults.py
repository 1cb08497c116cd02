"""The ways the Amazon marketplace misbehaves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from adapters.sandbox.faults import FaultBox


class FaultKind(StrEnum):
    LATENCY = "latency"  # the answer is late by `seconds`
    THROTTLED = "throttled"  # 429 although tokens are left
    SERVER_ERROR = "server_error"  # HTTP 500, nothing done
    UNAVAILABLE = "unavailable"  # HTTP 503, nothing done
    LOST_REPLY = "lost_reply"  # the work is done, the connection closes in the middle of the answer
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - every access token given out dies at this call
    TOKEN_SERVICE_DOWN = "token_service_down"  # noqa: S105 - no new access token: HTTP 500
    NOT_APPLIED = "not_applied"  # ACCEPTED, and then never applied
    FEED_FATAL = "feed_fatal"
    FEED_CANCELLED = "feed_cancelled"
    OUTSIDE_CHANGE = "outside_change"  # somebody takes one unit just after a quantity was applied
    PAGE_SHIFT = "page_shift"  # an entry changes while somebody turns the page
    CANCEL_RACE = "cancel_race"  # the buyer cancels just before the shipment is confirmed
    NOTIFICATION_DUPLICATE = "notification_duplicate"  # put into the queue twice with the same notification id
    NOTIFICATION_LATE = "notification_late"  # visible `seconds` late, so out of order
    NOTIFICATION_MISSING = "notification_missing"  # never put into the queue


class Faults(FaultBox[FaultKind]):
    kinds = FaultKind
    names: ClassVar[Mapping[str, StrEnum]] = {
        "error_500": FaultKind.SERVER_ERROR,
        "duplicate_webhook": FaultKind.NOTIFICATION_DUPLICATE,
        "missing_webhook": FaultKind.NOTIFICATION_MISSING,
        "late_webhook": FaultKind.NOTIFICATION_LATE,
    }
    late: ClassVar[frozenset[StrEnum]] = frozenset({FaultKind.NOTIFICATION_LATE, FaultKind.LATENCY})
