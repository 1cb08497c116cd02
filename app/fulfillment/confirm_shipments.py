"""Tell the channels which parcels left. The rows of `fulfillments` are the queue, and a claim is a time.

No transaction is open while a channel is spoken to. A worker that dies has its parcels told again after the lease,
which every adapter takes: it knows a parcel again by its tracking number.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from adapters.channels.base import Shipment, WriteOutcome, WriteResult
from app.channels.open_channel import COLUMNS
from app.channels.tell_channel import tell_channel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.kits.tell_kits import read_kit_lines
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

PARCELS_MAX = 16
LANE = "CONFIRM"
_CLAIM = """
WITH due AS (
  SELECT p.id FROM fulfillments p JOIN orders o ON o.id = p.order_id JOIN channels c ON c.id = o.channel_id
  WHERE p.confirmation = 'PENDING' AND p.next_attempt_at <= now() AND c.status = 'LIVE'
  ORDER BY p.next_attempt_at LIMIT $1 FOR UPDATE OF p SKIP LOCKED
)
UPDATE fulfillments p SET next_attempt_at = clock_timestamp() + make_interval(secs => $2), attempts = p.attempts + 1
FROM due, orders o WHERE p.id = due.id AND o.id = p.order_id
RETURNING p.id, p.order_id, p.warehouse_id, p.carrier, p.tracking_number, p.shipped_at, p.attempts,
  o.channel_id, o.external_id, o.name
"""
_LINES = """
SELECT pl.fulfillment_id, l.external_id, pl.quantity
FROM fulfillment_lines pl JOIN fulfillments p ON p.id = pl.fulfillment_id
JOIN order_lines l ON l.order_id = p.order_id AND l.line = pl.line
WHERE pl.fulfillment_id = ANY($1::uuid[]) AND l.external_id NOT LIKE '%#%#%' ORDER BY pl.fulfillment_id, pl.line
"""
_CHANNELS = f"SELECT {COLUMNS} FROM channels WHERE id = ANY($1::int[])"  # noqa: S608
_DONE = """
UPDATE fulfillments SET confirmation = $3, error = $4,
  confirmed_at = CASE WHEN $3 = 'CONFIRMED' THEN clock_timestamp() END,
  next_attempt_at = CASE WHEN $3 = 'PENDING' THEN clock_timestamp() + make_interval(secs => $5) END
WHERE id = $1 AND confirmation = 'PENDING' AND attempts = $2 AND carrier = $6 AND tracking_number = $7 RETURNING id
"""
"""Whoever comes after its lease finds another attempt there, or after a correction another label: nothing to write."""
_TELL = "UPDATE orders SET updated_at = clock_timestamp() WHERE id = $1"
"""Who watches the order sees what became of its parcel."""


async def confirm_shipments(state: State) -> int:
    """Tell one bounded batch; returns how many parcels were tried."""
    parcels = await state.database.hot.fetch(_CLAIM, PARCELS_MAX, state.settings.push_lease_seconds)
    if not parcels:
        return 0
    lines: dict[Any, list[tuple[str, int]]] = {parcel["id"]: [] for parcel in parcels}
    for row in await state.database.hot.fetch(_LINES, list(lines)):
        lines[row["fulfillment_id"]].append((row["external_id"], row["quantity"]))
    for row in await read_kit_lines(state.database.hot, list(lines)):
        lines[row["fulfillment_id"]].append((row["external_id"], row["quantity"]))
    records = await state.database.hot.fetch(_CHANNELS, sorted({parcel["channel_id"] for parcel in parcels}))
    channels = {record["id"]: record for record in records}
    await asyncio.gather(
        *(_confirm(state, channels[parcel["channel_id"]], parcel, tuple(lines[parcel["id"]])) for parcel in parcels)
    )
    return len(parcels)


async def _confirm(state: State, record: Any, parcel: Any, lines: tuple[tuple[str, int], ...]) -> None:
    if not lines:  # parts of kits that another parcel completes, and tells
        await _settle(state, record, parcel, WriteResult(WriteOutcome.OK))
        return
    shipment = Shipment(
        parcel["external_id"],
        lines,
        parcel["carrier"],
        parcel["tracking_number"],
        parcel["shipped_at"],
        str(parcel["id"]),
    )
    told = tell_channel(state, record, LANE, str(parcel["id"]), lambda channel: channel.confirm_shipment(shipment))
    await _settle(state, record, parcel, await told)


async def _settle(state: State, record: Any, parcel: Any, result: WriteResult) -> None:
    """Keep what came of it, with its case, in one transaction."""
    match result.outcome:
        case WriteOutcome.OK | WriteOutcome.ACCEPTED:
            confirmation = "CONFIRMED"
        case WriteOutcome.REFUSED:
            confirmation = "REFUSED"
        case _:
            confirmation = "PENDING"
    error = None if confirmation == "CONFIRMED" else (result.message or result.outcome.value)[:500]
    wait = draw_wait(parcel["attempts"], result.wait_seconds)
    async with state.database.hot.acquire() as connection, connection.transaction():
        if confirmation != "PENDING":
            await connection.execute(_TELL, parcel["order_id"])
        label = (parcel["carrier"], parcel["tracking_number"])
        kept = await connection.fetchval(_DONE, parcel["id"], parcel["attempts"], confirmation, error, wait, *label)
        if kept is None:
            return
        if confirmation == "REFUSED":
            await open_cases(connection, [_problem(record, parcel, result)])
        elif confirmation == "CONFIRMED":
            proof = {"confirmedAt": datetime.datetime.now(datetime.UTC), "attempts": parcel["attempts"]}
            kinds = [CaseKind.CONFIRMATION_REFUSED.value]
            await resolve_cases(connection, kinds, {f"fulfillment:{parcel['id']}": proof})
    if confirmation != "PENDING":
        state.doorbell.ring("feed")


def _problem(record: Any, parcel: Any, result: WriteResult) -> Problem:
    return Problem(
        CaseKind.CONFIRMATION_REFUSED,
        Severity.HIGH,
        result.cause or CauseClass.UNKNOWN,
        f"fulfillment:{parcel['id']}",
        f"{record['code']} does not take the parcel of order {parcel['name'] or parcel['external_id']}",
        f"{parcel['carrier']} {parcel['tracking_number']}: {result.message}",
        record["id"],
        None,
        parcel["warehouse_id"],
    )
