"""Tell partners that are called what is to be cancelled: a request. Whether the goods leave is what they say later."""

from __future__ import annotations

import datetime

from app.partners.note_contact import note_failure, note_success
from app.partners.open_partner import COLUMNS, open_partner
from app.state import State
from domain.errors import CauseClass, Fault

REASON = "The buyer does not want it any more"
_CLAIM = f"""
WITH due AS (
  SELECT o.fulfillment_order_id, f.cancel_requested_at FROM partner_orders o
  JOIN fulfillment_orders f ON f.id = o.fulfillment_order_id JOIN partners p ON p.id = o.partner_id
  WHERE o.state = 'DELEGATED' AND f.cancel_requested_at IS NOT NULL AND p.status = 'LIVE' AND p.kind <> 'API'
    AND (o.cancel_told_at IS NULL OR o.cancel_asked_at <> f.cancel_requested_at)
    AND (p.next_attempt_at IS NULL OR p.next_attempt_at <= $1) AND o.next_attempt_at <= $1
    AND NOT EXISTS (SELECT FROM fulfillment_order_lines l WHERE l.fulfillment_order_id = f.id
      AND l.cancel_requested < l.quantity - l.shipped - l.cancelled - l.short)
  ORDER BY f.cancel_requested_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
)
UPDATE partner_orders o SET next_attempt_at = $1 + interval '1 minute'
FROM due, partners p WHERE o.fulfillment_order_id = due.fulfillment_order_id AND p.id = o.partner_id
RETURNING o.fulfillment_order_id AS work_id, o.partner_order_id, due.cancel_requested_at AS asked_at, {COLUMNS}
"""  # noqa: S608
"""The contract cancels an order as a whole: one of which some units are still wanted is not asked for."""
_TOLD = """
UPDATE partner_orders SET cancel_asked_at = $2, cancel_told_at = $3, error = $4, next_attempt_at = $3
WHERE fulfillment_order_id = $1
"""
REFUSALS = frozenset({CauseClass.VALIDATION, CauseClass.MAPPING, CauseClass.POLICY})


async def request_cancel(state: State, now: datetime.datetime) -> int:
    """Tell of one; returns how many there were. A partner that refuses to hear it ships: nothing more is to be done."""
    claim = await state.database.hot.fetchrow(_CLAIM, now)
    if claim is None:
        return 0
    error = None
    try:
        partner = open_partner(state, claim)
        await partner.request_cancel(claim["partner_order_id"], REASON, str(claim["work_id"]))
    except Fault as fault:
        if fault.transient or fault.cause not in REFUSALS:
            async with state.database.hot.acquire() as connection, connection.transaction():
                await note_failure(connection, claim["id"], fault, now)
            return 1
        error = str(fault)[:500]
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_TOLD, claim["work_id"], claim["asked_at"], now, error)
        await note_success(connection, claim["id"], now)
    return 1
