"""Ship: the parcel leaves the ledger, the order and the warehouse in one transaction, and the channel is to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.calls import check_text
from app.catalog.lookup import Lookup, sku_not_found
from app.channels.openers import OPENERS
from app.exceptions.open_cases import open_cases
from app.fulfillment.change_work import Ask, change_work
from app.fulfillment.close_lists import close_lists
from app.fulfillment.lock_work import Work, count_shipped, note_event, set_lines, set_work
from app.fulfillment.move_units import move_units
from app.kits.keep_whole import refuse_broken
from app.orders.change_order import too_late
from app.run_once import Answer
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentAction, FulfillmentStatus
from domain.identity import Principal, Role
from domain.work_lines import WorkLine, plan_parcel, ship_units

TEXT_LENGTH_MAX = 100
_PARCEL = """
INSERT INTO fulfillments
  (id, fulfillment_order_id, order_id, warehouse_id, carrier, tracking_number, shipped_at, confirmation,
   next_attempt_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $8 = 'PENDING' THEN now() END)
"""
_LINES = """
INSERT INTO fulfillment_lines (fulfillment_id, line, quantity)
SELECT $1, l, q FROM unnest($2::int[], $3::int[]) AS g (l, q)
"""
_NAMES = "SELECT line, external_id FROM order_lines WHERE order_id = $1"


@dataclass(frozen=True, slots=True)
class Parcel:
    """`lines`: (SKU code or barcode, units); None: all that can leave now."""

    carrier: str
    tracking_number: str
    lines: Sequence[tuple[str, int]] | None = None


async def ship_work(state: State, principal: Principal, ask: Ask, parcel: Parcel) -> Answer:
    """`fulfillment` of the answer is the parcel's id.

    Raises `Refusal` as every change does, then INVALID_INPUT (carrier, tracking number), TOO_MANY_LINES, for each
    line SKU_NOT_FOUND, INVALID_QUANTITY, SKU_NOT_IN_ORDER, OVER_SHIP; INVALID_QUANTITY for part of a kit, unless it
    has left: told late, or by a partner.
    """

    async def decide(connection: Any, work: Work) -> dict[str, Any]:
        _check_parcel(parcel)
        units = plan_parcel(work.lines, await _find_lines(state.lookup, parcel))
        if ask.occurred_at is None and Role.PARTNER not in principal.roles:
            # What was told late has left, whatever it broke; so has what a partner tells of.
            await refuse_broken(connection, work.order_id, work.lines, units)
        after = ship_units(work.lines, units)
        fulfillment_id = uuid7()
        note = f"{parcel.carrier} {parcel.tracking_number}"
        await move_units(connection, work, units, "customer", "SHIPMENT", ask.provenance, ask.occurred_at, note)
        await set_lines(connection, work, after)
        await count_shipped(connection, work.order, units)
        await _finish(connection, work, after)
        await _write_parcel(connection, work, ask, parcel, fulfillment_id, units)
        await _tell_late(connection, work, after, ask)
        data = {"fulfillment": str(fulfillment_id), "units": sum(units.values())}
        await note_event(connection, work, ask.provenance, "SHIPPED", ask.at(), ask.note, **data)
        await close_lists(connection, work.id)
        return {"fulfillment": str(fulfillment_id)}

    return await change_work(state, principal, ask, FulfillmentAction.SHIP, decide)


def check_tracking(carrier: str, tracking_number: str) -> None:
    """Raises `Refusal` INVALID_INPUT. Channels know a parcel again by its tracking number."""
    for value, field, name in (
        (carrier, "carrier", "the carrier"),
        (tracking_number, "trackingNumber", "the tracking number"),
    ):
        if not value.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, f"Give {name} of the parcel.", (field,))
        check_text(value, field, TEXT_LENGTH_MAX)


def _check_parcel(parcel: Parcel) -> None:
    check_tracking(parcel.carrier, parcel.tracking_number)
    if parcel.lines is not None:
        check_line_count(len(parcel.lines))


async def _find_lines(lookup: Lookup, parcel: Parcel) -> list[tuple[int, int]] | None:
    if parcel.lines is None:
        return None
    skus = await lookup.find_skus(code for code, _ in parcel.lines)
    for index, (code, _) in enumerate(parcel.lines):
        if code not in skus:
            raise sku_not_found(code, ("lines", str(index), "sku"))
    return [(skus[code], units) for code, units in parcel.lines]


async def _finish(connection: Any, work: Work, after: Sequence[WorkLine]) -> None:
    left = any(line.bound for line in after)
    status = FulfillmentStatus.PARTLY_SHIPPED if left else FulfillmentStatus.SHIPPED
    asked = work.row["cancel_requested_at"] if left else None
    held = work.row["hold_reason"] if left else None
    await set_work(connection, work.id, status=status, cancel_requested_at=asked, hold_reason=held)


async def _tell_late(connection: Any, work: Work, after: Sequence[WorkLine], ask: Ask) -> None:
    """Units that were to be cancelled have left: people must know, and expect them back."""
    late = {x.line: y.requested - x.requested for x, y in zip(after, work.lines, strict=True)}
    if not any(late.values()):
        return
    names = dict(await connection.fetch(_NAMES, work.order_id))
    told = {names[line]: units for line, units in late.items() if units}
    label = work.order["name"] or work.order["external_id"]
    await note_event(connection, work, ask.provenance, "CANCEL_TOO_LATE", ask.at(), None, **told)
    await open_cases(connection, [too_late(work.order_id, work.order["channel_id"], label, told)])


async def _write_parcel(
    connection: Any, work: Work, ask: Ask, parcel: Parcel, fulfillment_id: UUID, units: dict[int, int]
) -> None:
    """A channel that is told nothing (B2B), or nothing yet (SHADOW: somebody else tells it), needs no word; nor does
    one that does not know the order.
    """
    order = work.order
    told = order["channel_knows"] and order["channel_kind"] in OPENERS and order["channel_status"] != "SHADOW"
    await connection.execute(
        _PARCEL,
        fulfillment_id,
        work.id,
        work.order_id,
        work.warehouse_id,
        parcel.carrier.strip(),
        parcel.tracking_number.strip(),
        ask.at(),
        "PENDING" if told else "NOT_NEEDED",
    )
    await connection.execute(_LINES, fulfillment_id, list(units), list(units.values()))
