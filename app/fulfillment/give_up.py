"""A warehouse gives units of its work up: the order wants them from elsewhere, unless they were to be cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.fulfillment.change_work import Ask
from app.fulfillment.lock_work import Work, set_work
from app.orders.lock_order import lock_order
from app.orders.release_units import Released, release_units
from app.orders.write_state import write_state
from domain.fulfillment import FulfillmentStatus, RejectReason

_REROUTE = "UPDATE orders SET reroute_at = clock_timestamp() WHERE id = $1"


async def give_up(
    connection: Any, work: Work, units: Mapping[int, int], reason: str, ask: Ask, *, lost: bool, why: str | None = None
) -> Released:
    """`units` by line go back to available, or are `lost`. Work that has nothing left is REJECTED, for `why`; work
    that goes on with other units keeps it, and does not get these again.

    Whatever is wanted from elsewhere is routed anew by a worker.
    """
    order = await lock_order(connection, work.order_id)
    assert order is not None
    given = {line: count for line, count in units.items() if count}
    released = await release_units(
        connection,
        order,
        given,
        reason,
        ask.provenance,
        works={work.id},
        started=True,
        short=lost,
        target="adjustment" if lost else "available",
        occurred_at=ask.occurred_at,
    )
    await write_state(connection, order, {}, (), ask.provenance.actor)
    if released.units - released.cancelled:
        await connection.execute(_REROUTE, work.order_id)
    if work.id in released.ended:
        await _end(connection, work, why or RejectReason.NOT_IN_STOCK)
    elif why is not None and released.units - released.cancelled:
        await set_work(connection, work.id, reject_reason=why)
    return released


async def _end(connection: Any, work: Work, why: str) -> None:
    """What had shipped something before is SHIPPED, whatever became of the rest."""
    shipped = any(line.shipped for line in work.lines)
    status = FulfillmentStatus.SHIPPED if shipped else FulfillmentStatus.REJECTED
    await set_work(connection, work.id, status=status, reject_reason=why, hold_reason=None, accept_by=None)
