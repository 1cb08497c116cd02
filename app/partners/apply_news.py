"""What a partner says of an order becomes what happened to the work: each thing once, in whatever order it is told.

It tells all of an order each time, so that a lost or late word is made up for by the next. What cannot be, such as a
parcel of what was cancelled, is kept as told, and is a case.
"""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any
from uuid import UUID

from adapters.channels.threepl.base import PartnerOrder, PartnerShipment, PartnerStatus, Units
from app.exceptions.open_cases import open_cases
from app.fulfillment.change_work import accept_work, let_work_go
from app.fulfillment.ship_work import Parcel, ship_work
from app.partners.act_as import partner_ask, partner_principal
from app.partners.refuse_units import refuse_rest, refuse_units
from app.state import State
from domain.errors import CauseClass, Refusal
from domain.exceptions import CaseKind, Problem, Severity
from domain.fulfillment import RejectReason

UNKNOWN_CARRIER = "unknown"
_FIND = """
SELECT o.fulfillment_order_id AS work_id, o.state, f.status, f.hold_reason, f.order_id, r.name, r.channel_id
FROM partner_orders o JOIN fulfillment_orders f ON f.id = o.fulfillment_order_id JOIN orders r ON r.id = f.order_id
WHERE o.partner_id = $1 AND o.partner_order_id = $2
"""
_SKUS = """
SELECT l.line, s.code FROM fulfillment_order_lines l JOIN skus s ON s.id = l.sku_id WHERE l.fulfillment_order_id = $1
"""
_KNOWN = "SELECT notification_id FROM partner_parcels WHERE partner_id = $1 AND notification_id = ANY($2::text[])"
_KEEP = """
INSERT INTO partner_parcels (partner_id, notification_id, fulfillment_order_id, fulfillment_id, error, told_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
_HEARD = """
UPDATE partner_orders o SET heard_at = $2, state = CASE
  WHEN f.status IN ('SHIPPED', 'REJECTED', 'CANCELLED') THEN 'ENDED' ELSE o.state END
FROM fulfillment_orders f WHERE o.fulfillment_order_id = $1 AND f.id = $1
"""
ENDED = frozenset({"SHIPPED", "REJECTED", "CANCELLED"})
STATUS = "SELECT status FROM fulfillment_orders WHERE id = $1"


async def apply_news(state: State, partner: Any, said: PartnerOrder, now: datetime.datetime) -> bool:
    """Whether it changed anything. An order that is not ours is somebody else's: nothing."""
    found = await state.database.hot.fetchrow(_FIND, partner["id"], said.partner_order_id)
    if found is None:
        return False
    skus = {str(row["line"]): row["code"] for row in await state.database.hot.fetch(_SKUS, found["work_id"])}
    fresh = await _find_fresh(state, partner, said)
    changed = await _accept(state, partner, found, said)
    for parcel in fresh:
        await _ship(state, partner, found, parcel, skus, now)
        changed = True
    changed = await _refuse(state, partner, found, said, skus) or changed
    await state.database.hot.execute(_HEARD, found["work_id"], now)
    return changed


async def _find_fresh(state: State, partner: Any, said: PartnerOrder) -> list[PartnerShipment]:
    """Parcels that were not told of before, each once."""
    parcels = {parcel.notification_id: parcel for parcel in said.shipments}
    known = {row[0] for row in await state.database.hot.fetch(_KNOWN, partner["id"], list(parcels))}
    return [parcel for key, parcel in parcels.items() if key not in known]


async def _accept(state: State, partner: Any, found: Any, said: PartnerOrder) -> bool:
    """Taken on, by word or by deed."""
    taken = said.status is PartnerStatus.PROCESSING or bool(said.shipments)
    if found["status"] != "RELEASED" or not taken:
        return False
    if found["hold_reason"] is not None:
        await let_work_go(state, partner_principal(partner), partner_ask(partner, found["work_id"]))
    try:
        await accept_work(state, partner_principal(partner), partner_ask(partner, found["work_id"]))
    except Refusal:
        return False
    return True


async def _ship(
    state: State, partner: Any, found: Any, parcel: PartnerShipment, skus: dict[str, str], now: datetime.datetime
) -> None:
    work_id = found["work_id"]
    units: Counter[str] = Counter()
    for line in parcel.lines:
        units[name_sku(line, skus)] += line.quantity
    lines = [(sku, count) for sku, count in units.items() if count]
    at = parcel.shipped_at if parcel.shipped_at is not None and parcel.shipped_at <= now else None
    ask = partner_ask(partner, work_id, key=f"parcel:{parcel.notification_id}", at=at)
    given = Parcel(parcel.carrier or UNKNOWN_CARRIER, parcel.tracking_number or parcel.notification_id, lines)
    fulfillment_id, error = None, None
    try:
        answer = await ship_work(state, partner_principal(partner), ask, given)
        fulfillment_id = UUID(answer["fulfillment"])
    except Refusal as refusal:
        error = f"{refusal.code.value}: {refusal.message}"
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_KEEP, partner["id"], parcel.notification_id, work_id, fulfillment_id, error, now)
        if error is not None:
            await open_cases(connection, [_describe(partner, found, parcel, lines, error)])


def name_sku(line: Units, skus: dict[str, str]) -> str:
    """The SKU's code: by our line, when the partner gives it back, else what it calls the SKU."""
    return skus.get(line.line_id or "", line.sku or "")


async def _refuse(state: State, partner: Any, found: Any, said: PartnerOrder, skus: dict[str, str]) -> bool:
    """What it will not ship. An end without lines is of all that is left."""
    status = await state.database.hot.fetchval(STATUS, found["work_id"])
    if status in ENDED or not (said.refusals or _is_over(said)):
        return False
    why = "; ".join(one.reason for one in said.refusals if one.reason) or f"The partner says {said.status}."
    whole = _is_over(said) or any(not one.lines for one in said.refusals)
    told = count_refused(said, skus)
    try:
        changed = await refuse_units(state, partner, found["work_id"], told, why) if told else False
    except Refusal:
        return False
    if whole and await state.database.hot.fetchval(STATUS, found["work_id"]) not in ENDED:
        return await refuse_rest(state, partner, found["work_id"], RejectReason.CANNOT_SHIP, why) or changed
    return changed


def _is_over(said: PartnerOrder) -> bool:
    return said.status in (PartnerStatus.REJECTED, PartnerStatus.CANCELLED)


def count_refused(said: PartnerOrder, skus: dict[str, str]) -> dict[int, int]:
    """Units by our line, of all refusals together."""
    by_sku = {code: line for line, code in skus.items()}
    found: Counter[int] = Counter()
    for refusal in said.refusals:
        for line in refusal.lines:
            number = line.line_id if line.line_id in skus else by_sku.get(line.sku or "")
            if number is not None:
                found[int(number)] += line.quantity
    return dict(found)


def _describe(partner: Any, found: Any, parcel: PartnerShipment, lines: list[tuple[str, int]], error: str) -> Problem:
    what = ", ".join(f"{units} of {sku}" for sku, units in lines)
    return Problem(
        CaseKind.PARTNER_CONTRADICTION,
        Severity.HIGH,
        CauseClass.VALIDATION,
        f"order:{found['order_id']}",
        f"Partner {partner['code']} shipped what it was not to, of order {found['name'] or found['order_id']}",
        f"Parcel {parcel.tracking_number or parcel.notification_id} with {what}. {error} "
        "If it has left, adjust the stock and tell the buyer; if not, have it put back.",
        found["channel_id"],
        warehouse_id=partner["warehouse_id"],
    )
