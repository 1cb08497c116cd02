"""How much of an order can still come back: what was shipped, less what its returns have taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.orders.read_orders import read_order
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

_HOLD = "SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE"
_SOLD = """
SELECT coalesce(k.component_id, l.sku_id), sum(l.shipped * coalesce(k.quantity, 1))::int AS sold
FROM order_lines l LEFT JOIN kit_components k ON k.kit_id = l.sku_id
WHERE l.order_id = $1 AND l.sku_id IS NOT NULL GROUP BY 1
"""
_TAKEN = """
SELECT l.sku_id, sum(CASE WHEN r.state = 'OPEN' THEN greatest(l.authorized, l.received) ELSE l.received END
  - coalesce((SELECT sum(i.quantity) FROM return_inspections i
              WHERE r.state <> 'OPEN' AND i.return_id = r.id AND i.line = l.line AND i.disposition = 'MISSING'), 0)
  )::int
FROM returns r JOIN return_lines l ON l.return_id = r.id
WHERE r.order_id = $1 AND r.state <> 'CANCELLED' AND l.sku_id IS NOT NULL AND r.id IS DISTINCT FROM $2
GROUP BY l.sku_id
"""


@dataclass(frozen=True, slots=True)
class OrderSold:
    """Units by SKU id: `sold` were shipped with the order, `taken` are in its other returns."""

    sold: dict[int, int]
    taken: dict[int, int]

    def left(self, sku_id: int) -> int:
        return self.sold.get(sku_id, 0) - self.taken.get(sku_id, 0)


async def count_sold(connection: Any, order_id: UUID, without: UUID | None = None) -> OrderSold:
    """Counted with the order held, so that two returns never share a unit. `without`: a return to be left out."""
    await connection.fetchval(_HOLD, order_id)
    sold = {row[0]: row[1] for row in await connection.fetch(_SOLD, order_id)}
    taken = {row[0]: row[1] for row in await connection.fetch(_TAKEN, order_id, without)}
    return OrderSold(sold, taken)


async def find_order(
    state: State, principal: Principal, order_id: UUID | None, channel: str | None, external_id: str | None
) -> UUID | None:
    """The order that a return names, None when it names none.

    Raises `Refusal` INVALID_INPUT for half a name, ORDER_NOT_FOUND for what is unknown or hidden.
    """
    if order_id is None and channel is None and external_id is None:
        return None
    if order_id is None and (channel is None or external_id is None):
        message = "An order is named by its id, or by its channel and the channel's id of it."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("order",))
    row = await read_order(state.database.hot, principal, order_id, channel, external_id)
    if row is None:
        raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("order",))
    return row["id"]  # type: ignore[no-any-return]
