"""The ways the eBay marketplace misbehaves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from adapters.sandbox.faults import FaultBox


class FaultKind(StrEnum):
    LATENCY = "latency"  # the answer is late by `seconds`
    LIMIT_EXCEEDED = "limit_exceeded"  # 429, error 2001, although calls are left
    SERVER_ERROR = "server_error"  # 500 with the API's system error (25001), nothing done
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - 401, error 1001, before the token's time
    TOKEN_EXPIRED_403 = "token_expired_403"  # noqa: S105 - the same as 403
    LOST_REPLY = "lost_reply"  # a write is done, the connection closes in the middle of the answer
    PARTIAL = "partial"  # an item of a bulk update fails with 25001, its neighbours do not: 207
    PARTIAL_MISSING = "partial_missing"  # an item of a bulk update is done, and left out of the answer
    ITEM_REFUSED = "item_refused"  # an item of a bulk update is refused with 25002: 207
    SHUFFLED = "shuffled"  # the answer to a bulk update is in another order than the request
    NOT_APPLIED = "not_applied"  # an item of a bulk update is answered 200, and nothing is written
    OUTSIDE_CHANGE = "outside_change"  # the seller takes one unit on the website just before it is written
    PAGE_SHIFT = "page_shift"  # after a page of orders, one of them changes: the next page begins one record further
    REFUND_FAILED = "refund_failed"  # a refund is taken, and fails afterwards
    CANCEL_RACE = "cancel_race"  # the order is cancelled just before its shipment is confirmed
    NOTIFICATION_DUPLICATE = "notification_duplicate"  # delivered twice with the same notification id
    NOTIFICATION_LATE = "notification_late"  # delivered `seconds` late
    NOTIFICATION_REORDERED = "notification_reordered"  # held back until the next one was sent
    NOTIFICATION_MISSING = "notification_missing"  # never delivered


class Faults(FaultBox[FaultKind]):
    kinds = FaultKind
    names: ClassVar[Mapping[str, StrEnum]] = {
        "throttled": FaultKind.LIMIT_EXCEEDED,
        "error_500": FaultKind.SERVER_ERROR,
        "duplicate_webhook": FaultKind.NOTIFICATION_DUPLICATE,
        "missing_webhook": FaultKind.NOTIFICATION_MISSING,
        "late_webhook": FaultKind.NOTIFICATION_LATE,
    }
    late: ClassVar[frozenset[StrEnum]] = frozenset({FaultKind.NOTIFICATION_LATE})
