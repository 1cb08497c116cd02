"""The notice of an order whose channel has to hear what was cancelled here: one row, on the caller's transaction.

It comes after the order's row in the order of locks. What there is to tell is not in it: that follows from the lines.
"""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from app.exceptions.resolve_cases import resolve_cases
from domain.cancellations import CancelReason, NoticeState
from domain.exceptions import CaseKind

_ASK = """
INSERT INTO cancel_notices AS n (order_id, reason, attempts)
SELECT o.id, $2, 0 FROM orders o JOIN channels c ON c.id = o.channel_id
WHERE o.id = $1 AND o.channel_knows AND c.kind <> 'B2B' AND c.status <> 'SHADOW'
ON CONFLICT (order_id) DO UPDATE SET state = 'PENDING', reason = excluded.reason, attempts = n.attempts + 1,
  next_attempt_at = clock_timestamp(), asked_at = clock_timestamp(), told_at = NULL, acknowledged_at = NULL,
  error = NULL
"""
"""Another attempt: whoever is telling the channel now finds it, and leaves the row to who comes next."""
_END = """
UPDATE cancel_notices SET state = $2, error = NULL, next_attempt_at = NULL,
  acknowledged_at = CASE WHEN $2 = 'ACKNOWLEDGED' THEN clock_timestamp() END
WHERE order_id = $1 AND state NOT IN ('ACKNOWLEDGED', 'LAPSED') AND ($3::int IS NULL OR attempts = $3)
RETURNING attempts, told_at
"""
_AGAIN = """
UPDATE cancel_notices SET state = 'PENDING', attempts = attempts + 1, next_attempt_at = clock_timestamp()
WHERE order_id = $1 AND state = 'REFUSED'
"""
REASONS = {
    "OUT_OF_STOCK": CancelReason.STOCK,
    "CANCELLED_BY_BUYER": CancelReason.BUYER,
    "FRAUD": CancelReason.FRAUD,
}
"""Words of people that a channel has a word for; every other one is the seller's own business."""


async def ask_to_tell(connection: Any, order_id: UUID, reason: CancelReason) -> None:
    """Nothing happens for a channel that is told nothing: direct B2B, one that is only watched, and one that does not
    know the order, which was made here.
    """
    await connection.execute(_ASK, order_id, reason.value)


async def end_notice(connection: Any, order_id: UUID, state: NoticeState, attempts: int | None = None) -> bool:
    """ACKNOWLEDGED or LAPSED, with its case; whether it had not ended. `attempts`: only while nobody else took it."""
    row = await connection.fetchrow(_END, order_id, state.value, attempts)
    if row is None:
        return False
    proof = {"state": state.value, "seenAt": datetime.datetime.now(datetime.UTC), "toldAt": row["told_at"]}
    await resolve_cases(connection, [CaseKind.CANCELLATION_REFUSED.value], {f"order:{order_id}": proof})
    return True


async def tell_again(connection: Any, order_id: UUID) -> None:
    """A worker looks at the channel at once, and tells it what it still does not know."""
    await connection.execute(_AGAIN, order_id)
