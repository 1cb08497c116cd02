"""The lanes in which a channel is called, as clients see them."""

from __future__ import annotations

from enum import StrEnum

import strawberry


@strawberry.enum(
    description="ZERO and BULK push, SETTLE asks about accepted batches, OBSERVE reads back, ORDERS and RETURNS pull. "
    "CONFIRM tells of parcels, REFUND of refunds, CANCEL of cancellations."
)
class SyncLane(StrEnum):
    ZERO = "ZERO"
    BULK = "BULK"
    SETTLE = "SETTLE"
    OBSERVE = "OBSERVE"
    ORDERS = "ORDERS"
    RETURNS = "RETURNS"
    CONFIRM = "CONFIRM"
    REFUND = "REFUND"
    CANCEL = "CANCEL"
