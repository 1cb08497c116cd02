"""A new return, whoever announced it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.returns.hold_return import keep_lines
from domain.returns import Custody, MoneyTrack, ReturnLine, ReturnOrigin

_MAKE = """
INSERT INTO returns (id, origin, custody, money, warehouse_id, channel_id, external_id, order_id, order_reference,
                     exchange_order_id, exchange_reference, exchange_amount, reason, note, refund_amount,
                     refund_currency, channel_restocked, actor, expected_by, refund_due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
"""


@dataclass(frozen=True, slots=True)
class ReturnHead:
    """All that a return is but its lines. `refund`: what is due, when that is known."""

    origin: ReturnOrigin
    warehouse_id: int
    actor: str
    expected_by: datetime.datetime
    reason: str | None = None
    note: str | None = None
    channel_id: int | None = None
    external_id: str | None = None
    order_id: UUID | None = None
    order_reference: str | None = None
    exchange_order_id: UUID | None = None
    exchange_reference: str | None = None
    refund: tuple[Decimal, str] | None = None
    channel_restocked: bool = False


async def make_return(connection: Any, head: ReturnHead, lines: Sequence[ReturnLine], at: datetime.datetime) -> UUID:
    """Its id; nothing is received yet."""
    return_id = uuid7()
    amount, currency = head.refund or (None, None)
    taken = 0 if head.exchange_order_id or head.exchange_reference else None  # whoever says both says what is left
    money = MoneyTrack.NONE if head.refund is None else MoneyTrack.DUE
    await connection.execute(
        _MAKE,
        *(return_id, head.origin.value, Custody.EXPECTED.value, money.value, head.warehouse_id),
        *(head.channel_id, head.external_id, head.order_id, head.order_reference),
        *(head.exchange_order_id, head.exchange_reference, taken, head.reason, head.note, amount, currency),
        *(head.channel_restocked, head.actor, head.expected_by, None if head.refund is None else at, at),
    )
    await keep_lines(connection, return_id, lines)
    return return_id
