"""Exception cases: what kinds there are, how bad each is, and until when somebody must have looked."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import CauseClass


class CaseKind(StrEnum):
    """What is not as it should be."""

    CHANNEL_DOWN = "CHANNEL_DOWN"
    SYNC_REJECTED = "SYNC_REJECTED"
    DRIFT = "DRIFT"
    EVENT_FAILED = "EVENT_FAILED"
    NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
    OVERSELL = "OVERSELL"
    ORDER_PROBLEM = "ORDER_PROBLEM"
    CHANGE_REFUSED = "CHANGE_REFUSED"
    PROMISE_AT_RISK = "PROMISE_AT_RISK"
    PAYMENT_OVERDUE = "PAYMENT_OVERDUE"
    COUNT_SHORTAGE = "COUNT_SHORTAGE"
    TRANSFER_DISCREPANCY = "TRANSFER_DISCREPANCY"
    TRANSFER_OVERDUE = "TRANSFER_OVERDUE"
    RETURN_MISMATCH = "RETURN_MISMATCH"
    RETURN_OVERDUE = "RETURN_OVERDUE"
    RETURN_UNINSPECTED = "RETURN_UNINSPECTED"
    REFUND_WAITING = "REFUND_WAITING"
    REFUND_REFUSED = "REFUND_REFUSED"
    APPROVAL_WAITING = "APPROVAL_WAITING"
    ALLOCATION_IMPOSSIBLE = "ALLOCATION_IMPOSSIBLE"
    REJECTION = "REJECTION"
    SHORT_PICK = "SHORT_PICK"
    CONFIRMATION_REFUSED = "CONFIRMATION_REFUSED"
    CANCELLATION_REFUSED = "CANCELLATION_REFUSED"
    PARTNER_SILENT = "PARTNER_SILENT"
    PARTNER_EVENTS_STOPPED = "PARTNER_EVENTS_STOPPED"
    PARTNER_CONTRADICTION = "PARTNER_CONTRADICTION"
    STOCK_DIFFERENCE = "STOCK_DIFFERENCE"
    SNAPSHOT_OVERDUE = "SNAPSHOT_OVERDUE"


UNITS_MISSING = (
    *(CaseKind.OVERSELL, CaseKind.ORDER_PROBLEM),
    *(CaseKind.ALLOCATION_IMPOSSIBLE, CaseKind.REJECTION, CaseKind.SHORT_PICK),
)
"""Cases of an order that wants units which are promised from nowhere: people choose what becomes of them."""


class Severity(StrEnum):
    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class CaseState(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


DUE = {
    Severity.CRITICAL: datetime.timedelta(minutes=15),
    Severity.HIGH: datetime.timedelta(hours=1),
    Severity.MEDIUM: datetime.timedelta(hours=8),
    Severity.LOW: datetime.timedelta(days=3),
}
OWNERS = {
    CaseKind.CHANNEL_DOWN: "ENGINEER",
    CaseKind.SYNC_REJECTED: "ECOMMERCE",
    CaseKind.DRIFT: "ECOMMERCE",
    CaseKind.EVENT_FAILED: "ENGINEER",
    CaseKind.NOT_SUBSCRIBED: "ENGINEER",
    CaseKind.OVERSELL: "OPERATIONS",
    CaseKind.ORDER_PROBLEM: "OPERATIONS",
    CaseKind.CHANGE_REFUSED: "SUPPORT",
    CaseKind.PROMISE_AT_RISK: "OPERATIONS",
    CaseKind.PAYMENT_OVERDUE: "SUPPORT",
    CaseKind.COUNT_SHORTAGE: "OPERATIONS",
    CaseKind.TRANSFER_DISCREPANCY: "OPERATIONS",
    CaseKind.TRANSFER_OVERDUE: "OPERATIONS",
    CaseKind.RETURN_MISMATCH: "SUPPORT",
    CaseKind.RETURN_OVERDUE: "SUPPORT",
    CaseKind.RETURN_UNINSPECTED: "WAREHOUSE",
    CaseKind.REFUND_WAITING: "SUPPORT",
    CaseKind.REFUND_REFUSED: "SUPPORT",
    CaseKind.APPROVAL_WAITING: "OPERATIONS",
    CaseKind.ALLOCATION_IMPOSSIBLE: "OPERATIONS",
    CaseKind.REJECTION: "OPERATIONS",
    CaseKind.SHORT_PICK: "OPERATIONS",
    CaseKind.CONFIRMATION_REFUSED: "OPERATIONS",
    CaseKind.CANCELLATION_REFUSED: "SUPPORT",
    CaseKind.PARTNER_SILENT: "OPERATIONS",
    CaseKind.PARTNER_EVENTS_STOPPED: "ENGINEER",
    CaseKind.PARTNER_CONTRADICTION: "OPERATIONS",
    CaseKind.STOCK_DIFFERENCE: "OPERATIONS",
    CaseKind.SNAPSHOT_OVERDUE: "OPERATIONS",
}
"""The role that a case belongs to until somebody takes it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to open a case for. One case is open per kind, subject and cause, however often it happens.

    `subject`: what it is about, as in `listing:12`, `channel:3`, `order:…`, `event:7`, `fulfillment:…`.
    """

    kind: CaseKind
    severity: Severity
    cause: CauseClass
    subject: str
    title: str
    detail: str | None = None
    channel_id: int | None = None
    sku_id: int | None = None
    warehouse_id: int | None = None
