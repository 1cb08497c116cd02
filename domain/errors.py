"""What can go wrong, in three kinds.

Exception
├── Refusal        expected: the caller asked for something that must not be; nothing was written
├── Fault          the world misbehaved; `transient` says whether trying again can help
└── anything else  a bug: masked to the client, logged whole
"""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a command was refused. Clients branch on these; the words of a message may change."""

    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    STALE_VERSION = "STALE_VERSION"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    SKU_NOT_FOUND = "SKU_NOT_FOUND"
    WAREHOUSE_NOT_FOUND = "WAREHOUSE_NOT_FOUND"
    WAREHOUSE_CLOSED = "WAREHOUSE_CLOSED"
    RESERVATION_NOT_FOUND = "RESERVATION_NOT_FOUND"
    RESERVATION_ENDED = "RESERVATION_ENDED"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"  # noqa: S105
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105
    CHANNEL_NOT_FOUND = "CHANNEL_NOT_FOUND"
    LISTING_NOT_FOUND = "LISTING_NOT_FOUND"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    FULFILLMENT_ORDER_NOT_FOUND = "FULFILLMENT_ORDER_NOT_FOUND"
    FULFILLMENT_NOT_FOUND = "FULFILLMENT_NOT_FOUND"
    SKU_NOT_IN_ORDER = "SKU_NOT_IN_ORDER"
    OVER_PICK = "OVER_PICK"
    OVER_SHIP = "OVER_SHIP"
    PICK_LIST_NOT_FOUND = "PICK_LIST_NOT_FOUND"
    ZONE_NOT_FOUND = "ZONE_NOT_FOUND"
    EXCEPTION_NOT_FOUND = "EXCEPTION_NOT_FOUND"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    PARTNER_NOT_FOUND = "PARTNER_NOT_FOUND"
    ALERT_RULE_NOT_FOUND = "ALERT_RULE_NOT_FOUND"
    COUNT_NOT_FOUND = "COUNT_NOT_FOUND"
    BIN_NOT_FOUND = "BIN_NOT_FOUND"
    BIN_FULL = "BIN_FULL"
    TRANSFER_NOT_FOUND = "TRANSFER_NOT_FOUND"
    RETURN_NOT_FOUND = "RETURN_NOT_FOUND"
    DAMAGE_NOT_FOUND = "DAMAGE_NOT_FOUND"
    ADJUSTMENT_NOT_FOUND = "ADJUSTMENT_NOT_FOUND"
    OVER_RECEIPT = "OVER_RECEIPT"
    OVER_RETURN = "OVER_RETURN"
    NOT_SOLD = "NOT_SOLD"
    OVER_EXCHANGE = "OVER_EXCHANGE"
    SAME_PERSON = "SAME_PERSON"
    SUPPLIER_NOT_FOUND = "SUPPLIER_NOT_FOUND"
    REQUEST_NOT_FOUND = "REQUEST_NOT_FOUND"
    PURCHASE_ORDER_NOT_FOUND = "PURCHASE_ORDER_NOT_FOUND"
    OVER_DELIVERY = "OVER_DELIVERY"
    POLICY_NOT_FOUND = "POLICY_NOT_FOUND"
    DECISION_ERASED = "DECISION_ERASED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    WRONG_STATE = "WRONG_STATE"
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    DUPLICATE_LINE = "DUPLICATE_LINE"
    TOO_MANY_LINES = "TOO_MANY_LINES"
    NOT_ALLOWED = "NOT_ALLOWED"


class Refusal(Exception):
    """A command that must not be carried out.

    Args:
        code: What clients branch on.
        message: A sentence for people that says what to do.
        path: Where in the input, as in `("lines", "3", "quantity")`.
        doubt: The SKU and the warehouse whose books cannot be right, since somebody has more of it in hand.
    """

    def __init__(
        self, code: RefusalCode, message: str, path: tuple[str, ...] = (), doubt: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.doubt = doubt


class CauseClass(StrEnum):
    """Why a channel does not do what it should: who can help, and whether trying again can."""

    AUTH = "AUTH"
    MAPPING = "MAPPING"
    VALIDATION = "VALIDATION"
    POLICY = "POLICY"
    QUOTA = "QUOTA"
    OUTAGE = "OUTAGE"
    UNKNOWN = "UNKNOWN"


class Fault(Exception):
    """The world misbehaved. `transient` faults are worth another try."""

    def __init__(self, message: str, *, transient: bool, cause: CauseClass = CauseClass.UNKNOWN) -> None:
        super().__init__(message)
        self.transient = transient
        self.cause = cause
