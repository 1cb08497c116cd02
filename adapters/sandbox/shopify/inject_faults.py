"""The ways a Shopify store misbehaves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from adapters.sandbox.faults import FaultBox


class FaultKind(StrEnum):
    LATENCY = "latency"  # the answer is late by `seconds`
    THROTTLED = "throttled"  # THROTTLED although points are left
    SERVER_ERROR = "server_error"  # HTTP 500, nothing done
    LOST_REPLY = "lost_reply"  # the work is done, the connection closes in the middle of the answer
    LOST_WRITE = "lost_write"  # the same, of mutations only
    LOST_TOKEN = "lost_token"  # noqa: S105 - the same, of a token's renewal
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the access token ends before this call
    ERROR_AFTER_WRITE = "error_after_write"  # everything is written, and a user error is answered all the same
    REFUND_PENDING = "refund_pending"  # a refund's payment is not through: POST /orders/settle-refunds
    REFUND_FAILED = "refund_failed"  # a refund is recorded and its payment fails
    RESTOCK_ANYWAY = "restock_anyway"  # refunded units are on sale again whatever was asked
    CANCEL_RACE = "cancel_race"  # the buyer cancels just before a parcel is told
    CANCEL_NOT_DONE = "cancel_not_done"  # orderCancel is accepted, and its job does nothing
    SLOW_WRITE = "slow_write"  # a write takes `seconds` before it commits, so that others can overlap it
    OUTSIDE_CHANGE = "outside_change"  # somebody takes one unit of a level just before it is written
    IDEMPOTENCY_RECHECK = "idempotency_recheck"  # a repeated key is compared again instead of replayed
    WEBHOOK_DUPLICATE = "webhook_duplicate"  # delivered twice with the same webhook id
    WEBHOOK_LATE = "webhook_late"  # delivered `seconds` late, so out of order
    WEBHOOK_MISSING = "webhook_missing"  # never delivered


class Faults(FaultBox[FaultKind]):
    kinds = FaultKind
    names: ClassVar[Mapping[str, StrEnum]] = {
        "error_500": FaultKind.SERVER_ERROR,
        "duplicate_webhook": FaultKind.WEBHOOK_DUPLICATE,
        "missing_webhook": FaultKind.WEBHOOK_MISSING,
        "late_webhook": FaultKind.WEBHOOK_LATE,
    }
    late: ClassVar[frozenset[StrEnum]] = frozenset({FaultKind.WEBHOOK_LATE})
