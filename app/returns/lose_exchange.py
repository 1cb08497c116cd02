"""The order that was sent instead of a return is cancelled: what it took of the refund is due again."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.returns.hold_return import HeldReturn, keep_return, lock_return, note_mismatch
from domain.identity import Principal
from domain.returns import MoneyTrack, RefundState

SYSTEM = Principal("exchanges", "exchanges", frozenset())
_OF = "SELECT id FROM returns WHERE exchange_order_id = $1 AND state <> 'CANCELLED' ORDER BY id"
_NOW = """
SELECT money IN ('NONE', 'DUE') AND NOT (refund_state = 'PENDING' AND refund_first_at IS NOT NULL) AS unpaid,
  coalesce(refund_amount, 0) AS amount, coalesce(exchange_amount, 0) AS taken
FROM returns WHERE id = $1
"""


async def lose_exchange(connection: Any, order_id: UUID, label: str) -> None:
    """On the transaction that cancels it. A person says what is paid back: that is a case once all came back, and at
    once when the refund was none of it, or is paid already. `label`: what people call the order.
    """
    for row in await connection.fetch(_OF, order_id):
        await _lose(connection, await lock_return(connection, SYSTEM, row["id"]), label)


async def _lose(connection: Any, held: HeldReturn, label: str) -> None:
    row = await connection.fetchrow(_NOW, held.id)
    taken: Decimal = row["taken"]
    if row["unpaid"] and taken > 0:
        columns = {
            "money": MoneyTrack.DUE.value,
            "refund_amount": row["amount"] + taken,
            "exchange_amount": None,
            "refund_state": RefundState.NONE.value,
            "refund_next_at": None,
        }
        await keep_return(connection, held, held.lines, {}, datetime.datetime.now(datetime.UTC), **columns)
        return
    worth = f", and {taken} of its refund with it" if taken > 0 else ""
    await note_mismatch(connection, held, [f"{label}, which was to be sent instead, is cancelled{worth}"])
