"""Give released work to partners that are called. No call is made in a transaction: what it came to is written after.

Until it is acknowledged it is given again under the same key, which partners know again. What was cancelled before the
first try is not given at all.
"""

from __future__ import annotations

import datetime
from typing import Any

import asyncpg
import orjson

from adapters.channels.base import Address
from adapters.channels.threepl.base import DelegatedLine, Delegation
from app.fulfillment.change_work import change_work
from app.fulfillment.lock_work import Work
from app.orders.keep_contact import open_contact
from app.partners.act_as import partner_ask, partner_principal
from app.partners.note_contact import note_failure, note_success
from app.partners.open_partner import COLUMNS, open_partner, read_config
from app.partners.refuse_units import give_back_requested, refuse_rest
from app.state import State
from domain.errors import CauseClass, Fault, Refusal
from domain.fulfillment import FulfillmentAction, RejectReason

CLAIM_SECONDS = 60.0
RETRY_SECONDS = 15.0
_CLAIM = f"""
WITH due AS (
  SELECT o.fulfillment_order_id FROM partner_orders o JOIN partners p ON p.id = o.partner_id
  WHERE o.state = 'PENDING' AND o.next_attempt_at <= $1 AND p.status = 'LIVE'
    AND (p.next_attempt_at IS NULL OR p.next_attempt_at <= $1)
  ORDER BY o.next_attempt_at, o.fulfillment_order_id LIMIT 1 FOR UPDATE OF o SKIP LOCKED
)
UPDATE partner_orders o SET next_attempt_at = $1 + make_interval(secs => $2), attempts = o.attempts + 1
FROM due, partners p WHERE o.fulfillment_order_id = due.fulfillment_order_id AND p.id = o.partner_id
RETURNING o.fulfillment_order_id AS work_id, o.attempts, {COLUMNS}
"""  # noqa: S608
_WORK = """
SELECT f.status, r.name, r.external_id, r.placed_at, r.destination->>'country' AS country,
  coalesce(f.ship_by, r.ship_by) AS due, c.sealed
FROM fulfillment_orders f JOIN orders r ON r.id = f.order_id LEFT JOIN order_contacts c ON c.order_id = r.id
WHERE f.id = $1
"""
_LINES = """
SELECT l.line, s.code, s.title, l.quantity - l.shipped - l.cancelled - l.short AS units
FROM fulfillment_order_lines l JOIN skus s ON s.id = l.sku_id
WHERE l.fulfillment_order_id = $1 AND l.quantity > l.shipped + l.cancelled + l.short ORDER BY l.line
"""
_GIVEN = """
UPDATE partner_orders SET state = 'DELEGATED', partner_order_id = $2, delegated_at = $3, heard_at = $3, error = NULL
WHERE fulfillment_order_id = $1 AND state = 'PENDING'
"""
_LINES_GIVEN = "UPDATE partner_orders SET lines = $2::json WHERE fulfillment_order_id = $1"
_FAILED = """
UPDATE partner_orders SET error = $2, next_attempt_at = $3 WHERE fulfillment_order_id = $1 AND state = 'PENDING'
"""
_ENDED = "UPDATE partner_orders SET state = 'ENDED', error = $2 WHERE fulfillment_order_id = $1"
OPEN = frozenset({"RELEASED", "ACCEPTED", "PICKING", "PICKED", "PACKED", "PARTLY_SHIPPED"})
REFUSALS = frozenset({CauseClass.VALIDATION, CauseClass.MAPPING})


async def delegate_work(state: State, now: datetime.datetime) -> int:
    """Give one; returns how many there were."""
    claim = await state.database.hot.fetchrow(_CLAIM, now, CLAIM_SECONDS)
    if claim is None:
        return 0
    if claim["attempts"] == 1:
        await _drop_cancelled(state, claim)
    work = await state.database.hot.fetchrow(_WORK, claim["work_id"])
    lines = await state.database.hot.fetch(_LINES, claim["work_id"])
    if work["status"] not in OPEN or not lines:
        await state.database.hot.execute(_ENDED, claim["work_id"], None)
        return 1
    if claim["attempts"] == 1:
        given = orjson.dumps({str(line["line"]): line["units"] for line in lines}).decode()
        await state.database.hot.execute(_LINES_GIVEN, claim["work_id"], given)
    try:
        wanted = _describe(state, claim, work, lines)
        partner_order_id = await open_partner(state, claim).delegate(wanted)
        await _note_given(state, claim, partner_order_id, now)
    except Fault as fault:
        await _note_failure(state, claim, fault, now)
    state.doorbell.ring("feed")
    return 1


async def _note_given(state: State, claim: Any, partner_order_id: str, now: datetime.datetime) -> None:
    """Raises `Fault` for an id that the partner gave to another order: what it says of that id would be of both."""
    try:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await connection.execute(_GIVEN, claim["work_id"], partner_order_id, now)
            await note_success(connection, claim["id"], now)
    except asyncpg.UniqueViolationError:
        message = f"The partner gave two orders the id {partner_order_id!r}."
        raise Fault(message, transient=True, cause=CauseClass.VALIDATION) from None


async def _drop_cancelled(state: State, claim: Any) -> None:
    """Nobody was told of it yet: what is to be cancelled is."""

    async def decide(connection: Any, work: Work) -> None:
        await give_back_requested(connection, work, partner_ask(claim, claim["work_id"]), None)

    ask = partner_ask(claim, claim["work_id"])
    try:
        await change_work(state, partner_principal(claim), ask, FulfillmentAction.CANCEL, decide)
    except Refusal:
        return  # it has ended


def _describe(state: State, claim: Any, work: Any, lines: Any) -> Delegation:
    contact = open_contact(state.settings, work["sealed"]) or {}
    address = Address(
        contact.get("name"),
        tuple(contact.get("lines", ())),
        contact.get("city"),
        contact.get("region"),
        contact.get("postal_code"),
        contact.get("country_code") or work["country"],
    )
    return Delegation(
        str(claim["work_id"]),
        work["name"] or work["external_id"],
        tuple(DelegatedLine(str(line["line"]), line["code"], line["title"], line["units"]) for line in lines),
        address,
        contact.get("email"),
        work["placed_at"],
        work["due"],
        read_config(claim).get("location"),
    )


async def _note_failure(state: State, claim: Any, fault: Fault, now: datetime.datetime) -> None:
    """An order that the partner refuses is rejected work; everything else is tried again."""
    if fault.cause in REFUSALS and not fault.transient:
        await refuse_rest(state, claim, claim["work_id"], RejectReason.CANNOT_SHIP, str(fault))
        await state.database.hot.execute(_ENDED, claim["work_id"], str(fault)[:500])
        return
    async with state.database.hot.acquire() as connection, connection.transaction():
        again = now + datetime.timedelta(seconds=RETRY_SECONDS)
        await connection.execute(_FAILED, claim["work_id"], str(fault)[:500], again)
        await note_failure(connection, claim["id"], fault, now)
