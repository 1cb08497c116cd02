"""Orders that hold stock and are not paid for long: somebody asks the buyer, or gives the stock back."""

from __future__ import annotations

import datetime
from typing import Any

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

BATCH = 200
_UNPAID = """
SELECT o.id, o.channel_id, coalesce(o.name, o.external_id) AS label, o.placed_at, l.units
FROM orders o JOIN LATERAL (
  SELECT sum(allocated)::int AS units FROM order_lines WHERE order_id = o.id) l ON l.units > 0
WHERE o.payment = 'PENDING' AND o.status NOT IN ('SHIPPED', 'CANCELLED')
  AND o.placed_at < now() - make_interval(days => $2)
  AND NOT EXISTS (SELECT FROM exception_cases c WHERE c.subject = 'order:' || o.id AND c.kind = 'PAYMENT_OVERDUE')
ORDER BY o.placed_at LIMIT $1
"""
"""Once each: whoever resolved the case by hand has decided that the order waits."""
_SETTLED = """
SELECT c.subject, o.status, o.payment FROM exception_cases c JOIN orders o ON o.id = substr(c.subject, 7)::uuid
WHERE c.kind = 'PAYMENT_OVERDUE' AND c.state <> 'RESOLVED'
  AND (o.payment <> 'PENDING' OR o.status IN ('SHIPPED', 'CANCELLED')
    OR NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id AND l.allocated > 0))
ORDER BY c.id LIMIT $1
"""


async def mind_payments(state: State) -> int:
    """How many cases were opened or ended."""
    late = await state.database.hot.fetch(_UNPAID, BATCH, state.settings.payment_wait_days)
    settled = await state.database.hot.fetch(_SETTLED, BATCH)
    if not late and not settled:
        return 0
    seen = datetime.datetime.now(datetime.UTC)
    proofs = {row["subject"]: {"status": row["status"], "payment": row["payment"], "at": seen} for row in settled}
    async with state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [_describe(row) for row in late])
        await resolve_cases(connection, [CaseKind.PAYMENT_OVERDUE.value], proofs)
    return len(late) + len(settled)


def _describe(row: Any) -> Problem:
    return Problem(
        CaseKind.PAYMENT_OVERDUE,
        Severity.LOW,
        CauseClass.UNKNOWN,
        f"order:{row['id']}",
        f"Order {row['label']} is not paid",
        f"It was placed on {row['placed_at']:%Y-%m-%d %H:%M} UTC and holds {row['units']} units. If it is paid, say so "
        "(orderMarkPaid, or at its channel); if nobody wants it any more, cancel it (orderCancel).",
        row["channel_id"],
    )
