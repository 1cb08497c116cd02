"""When a refund goes to the channel: by itself when all came back as announced, else when somebody says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.channels.openers import OPENERS
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from domain.exceptions import CaseKind, Severity

if TYPE_CHECKING:
    from app.returns.hold_return import HeldReturn

CASES = (CaseKind.REFUND_WAITING.value, CaseKind.REFUND_REFUSED.value)
_STATE = """
SELECT r.money, r.refund_state, coalesce(r.refund_amount, 0) > 0 AS named, r.state,
  r.state = 'CLOSED' OR (r.custody = 'RECEIVED' AND r.condition = 'INSPECTED') AS worked_off,
  r.custody = 'RECEIVED' AND r.condition = 'INSPECTED'
  AND NOT EXISTS (SELECT FROM return_lines l WHERE l.return_id = r.id
                  AND (l.finding <> 'EXPECTED' OR l.received <> l.authorized))
  AND NOT EXISTS (SELECT FROM return_inspections i WHERE i.return_id = r.id AND i.disposition = 'MISSING') AS as_said,
  r.exchange_amount IS NULL AND coalesce(r.exchange_order_id::text, r.exchange_reference) IS NOT NULL AS exchanged,
  o.channel_knows AND c.kind = ANY($2::text[]) AND c.status <> 'SHADOW' AS tellable
FROM returns r JOIN orders o ON o.id = r.order_id JOIN channels c ON c.id = o.channel_id WHERE r.id = $1
"""
_QUEUE = """
UPDATE returns SET refund_state = 'PENDING', refund_next_at = clock_timestamp(), refund_error = NULL WHERE id = $1
"""
_AGAIN = f"{_QUEUE} AND refund_state = 'REFUSED' AND money = 'DUE'"
_DROP = """
UPDATE returns SET refund_state = CASE refund_state WHEN 'PENDING' THEN 'NONE' ELSE refund_state END,
  refund_next_at = CASE WHEN money = 'TOLD' AND state <> 'CANCELLED'
    AND (refund_external_id IS NOT NULL OR refund_state = 'SENT') THEN refund_next_at END
WHERE id = $1 AND refund_next_at IS NOT NULL
"""
"""What its channel is paying is still looked at."""
LOOK_SECONDS = 15.0
"""Until a refund that its channel has taken is looked at."""


async def queue_refund(connection: Any, held: HeldReturn, *, asked: bool) -> None:
    """`asked`: somebody says that it is to be paid now. The return is locked, and what changed of it is written.

    What has not come as announced is no refund that a machine decides, nor what is left of one beside an exchange of
    which nobody has said what it takes: that is a case, until the amount is said again.
    """
    found = await connection.fetchrow(_STATE, held.id, sorted(OPENERS))
    if found is None or not found["tellable"]:
        return
    if found["money"] != "DUE" or found["state"] == "CANCELLED":  # paid otherwise, or not at all
        await connection.execute(_DROP, held.id)
        await _resolve(connection, held, {"money": found["money"], "state": found["state"]})
        return
    waits = found["refund_state"] == "NONE" or (asked and found["refund_state"] == "REFUSED")
    if found["named"] and waits and (asked or (found["as_said"] and not found["exchanged"])):
        await connection.execute(_QUEUE, held.id)
        await _resolve(connection, held, {"asked": asked})
    elif found["refund_state"] == "NONE" and found["worked_off"]:
        detail = _say_why(found)
        title = "waits for somebody to say what is paid back"
        await open_cases(connection, [held.problem(CaseKind.REFUND_WAITING, Severity.MEDIUM, title, detail)])


def _say_why(found: Any) -> str:
    if not found["named"]:
        return "Nobody has said how much."
    if not found["as_said"]:
        return "What came is not what was announced."
    return "Something is sent instead, or was to be: nobody has said what of the refund is left."


async def ask_again(connection: Any, return_id: UUID) -> None:
    """The channel refused; what it did not like has been put right."""
    await connection.execute(_AGAIN, return_id)


async def _resolve(connection: Any, held: HeldReturn, proof: dict[str, Any]) -> None:
    await resolve_cases(connection, list(CASES), {held.document: proof})
