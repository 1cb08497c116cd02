"""What becomes of a parcel after it left: the carrier's word on it, a corrected label, another try at the channel."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_moment
from app.fulfillment.change_work import BELL
from app.fulfillment.read_work import PARCEL
from app.fulfillment.ship_work import check_tracking
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import Delivery, follow_delivery
from domain.identity import Principal

_PARCELS = f"""
SELECT {PARCEL}::text AS parcel, p.warehouse_id, o.channel_id
FROM fulfillments p JOIN orders o ON o.id = p.order_id WHERE p.id = $1
"""  # noqa: S608
_FIND = """
SELECT p.id, p.order_id, p.warehouse_id, o.channel_id FROM fulfillments p JOIN orders o ON o.id = p.order_id
WHERE (p.id = $1 OR $1 IS NULL AND p.tracking_number = $2)
  AND ($3::int[] IS NULL OR p.warehouse_id = ANY($3)) AND ($4::int[] IS NULL OR o.channel_id = ANY($4))
ORDER BY p.id DESC LIMIT 1
"""
_LOCK_ORDER = "UPDATE orders SET updated_at = clock_timestamp() WHERE id = $1"
"""And who watches the order sees it."""
_LOCK = "SELECT delivery, delivered_at, confirmation FROM fulfillments WHERE id = $1 FOR UPDATE"
_DELIVERY = "UPDATE fulfillments SET delivery = $2, delivered_at = $3 WHERE id = $1"
_CORRECT = """
UPDATE fulfillments SET carrier = $2, tracking_number = $3, error = NULL,
  confirmation = CASE WHEN confirmation = 'REFUSED' THEN 'PENDING' ELSE confirmation END,
  next_attempt_at = CASE WHEN confirmation = 'NOT_NEEDED' THEN NULL ELSE clock_timestamp() END
WHERE id = $1
"""
_AGAIN = """
UPDATE fulfillments SET confirmation = 'PENDING', next_attempt_at = now() WHERE id = $1 AND confirmation <> 'CONFIRMED'
  AND confirmation <> 'NOT_NEEDED'
"""


async def note_delivery(
    state: State,
    principal: Principal,
    key: UUID | None,
    tracking_number: str | None,
    delivery: Delivery,
    at: datetime.datetime | None,
    call: IdempotentCall | None,
) -> Answer:
    """What the carrier says of a parcel, by its id or tracking number; words may come late and out of order.

    `fulfillment` of the answer. Raises `Refusal` INVALID_INPUT (time), FULFILLMENT_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        check_moment(at)
        found, row = await _lock_parcel(connection, principal, key, tracking_number)
        then = follow_delivery(Delivery(row["delivery"]), delivery)
        delivered_at = row["delivered_at"]
        if then is Delivery.DELIVERED and delivered_at is None:
            delivered_at = at or datetime.datetime.now(datetime.UTC)
        await connection.execute(_DELIVERY, found["id"], then.value, delivered_at)
        return await _answer(connection, found["id"])

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


async def correct_parcel(
    state: State, principal: Principal, key: UUID, carrier: str, tracking_number: str, call: IdempotentCall | None
) -> Answer:
    """Another label than was said, as long as the channel has not taken it; it is told again at once.

    `fulfillment` of the answer. Raises `Refusal` INVALID_INPUT, FULFILLMENT_NOT_FOUND, WRONG_STATE.
    """

    async def decide(connection: Any) -> Answer:
        check_tracking(carrier, tracking_number)
        found, row = await _lock_parcel(connection, principal, key, None)
        if row["confirmation"] == "CONFIRMED":
            message = "The channel has taken the parcel under its number: correct it there."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
        await connection.execute(_CORRECT, found["id"], carrier.strip(), tracking_number.strip())
        return await _answer(connection, found["id"])

    answer = await run_once(state.database, call, decide)
    for bell in ("feed", BELL):
        state.doorbell.ring(bell)
    return answer


async def confirm_again(connection: Any, key: UUID) -> None:
    """Let a worker tell the channel at once, on the caller's transaction."""
    await connection.execute(_AGAIN, key)


async def read_parcel(database: Database, principal: Principal, key: UUID) -> dict[str, Any] | None:
    """One parcel; None when there is none that the principal may see."""
    row = await database.hot.fetchrow(_PARCELS, key)
    if row is None or not _sees(principal, row):
        return None
    found: dict[str, Any] = orjson.loads(row["parcel"])
    return found


def _sees(principal: Principal, row: Any) -> bool:
    return principal.sees_warehouse(row["warehouse_id"]) and principal.sees_channel(row["channel_id"])


async def _lock_parcel(
    connection: Any, principal: Principal, key: UUID | None, tracking_number: str | None
) -> tuple[Any, Any]:
    limits = [None if ids is None else list(ids) for ids in (principal.warehouse_ids, principal.channel_ids)]
    found = await connection.fetchrow(_FIND, key, tracking_number, *limits)
    if found is None:
        raise Refusal(RefusalCode.FULFILLMENT_NOT_FOUND, "There is no such parcel.", ("id",))
    await connection.execute(_LOCK_ORDER, found["order_id"])
    return found, await connection.fetchrow(_LOCK, found["id"])


async def _answer(connection: Any, key: UUID) -> Answer:
    row = await connection.fetchrow(_PARCELS, key)
    return {"fulfillment": orjson.loads(row["parcel"])}
