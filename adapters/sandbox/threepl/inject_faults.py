"""The ways a partner misbehaves for a while."""

from __future__ import annotations

from enum import StrEnum

from adapters.sandbox.faults import FaultBox


class FaultKind(StrEnum):
    DOWN = "down"  # 503 to every call
    ERROR_500 = "error_500"  # nothing done
    THROTTLED = "throttled"  # 429 with Retry-After
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - 401, credentials_invalid, although they are right
    LOST_REPLY = "lost_reply"  # done, and the connection closes in the middle of the answer
    DUPLICATE_EVENT = "duplicate_event"  # a change is told twice in one answer
    REORDERED_EVENT = "reordered_event"  # the newest change first
    MISSING_EVENT = "missing_event"  # a change is left out of this answer
    LATE_EVENT = "late_event"  # a change is told `seconds` after it happened
    CANCEL_RACE = "cancel_race"  # the goods leave just before the cancellation is heard
    SHORT_SHIP = "short_ship"  # one unit less than there is
    SPLIT_SHIP = "split_ship"  # every line in a parcel of its own
    REJECT = "reject"  # does not take the order on
    STALE_SNAPSHOT = "stale_snapshot"  # the numbers of before the last parcel
    OUTSIDE_CHANGE = "outside_change"  # a unit of the first SKU is lost before the snapshot


class Faults(FaultBox[FaultKind]):
    kinds = FaultKind
    seconds_max = 86_400.0
