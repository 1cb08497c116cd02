"""An order with its lines and its work, locked in the one order that everybody locks in.

The order's row, then its fulfilment orders by id; stock rows come after them, then warehouse days. Whoever changes
what is promised to an order holds its row, so lines need no locks of their own.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.fulfillment import ENDED, FulfillmentStatus
from domain.order_change import KnownLine
from domain.orders import LineCounts, OrderStatus, Payment

_ORDER = """
SELECT o.id, o.channel_id, o.external_id, o.name, o.status, o.payment, o.hold_reason, o.cancel_requested_at,
  o.placed_at, o.ship_by, o.deliver_by, o.told_ship_by, o.told_deliver_by, o.destination::text AS destination, o.total,
  o.currency, o.channel_version, o.problem, o.version, o.exchange_of
FROM orders o WHERE o.id = $1
"""
_WORKS = """
SELECT f.id, f.warehouse_id, f.status, f.day, f.hold_reason, f.cancel_requested_at, w.kind
FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id WHERE f.order_id = $1 ORDER BY f.id
"""
_LINES = """
SELECT line, external_id, sku_id, sku_code, title, untold, quantity, allocated, shipped, cancelled FROM order_lines
WHERE order_id = $1 ORDER BY line
"""
_WORK_LINES = """
SELECT l.fulfillment_order_id, l.line, l.sku_id, l.quantity, l.picked, l.shipped, l.cancelled, l.short,
  l.cancel_requested
FROM fulfillment_order_lines l WHERE l.fulfillment_order_id = ANY($1::uuid[]) ORDER BY l.fulfillment_order_id, l.line
"""
_S = FulfillmentStatus
FREE_OWN = frozenset({_S.SCHEDULED, _S.RELEASED, _S.ACCEPTED})
FREE_PARTNER = frozenset({_S.SCHEDULED})
"""Work that units can be taken from without asking: nobody has begun it. A partner's is its own once it was told."""


@dataclass(slots=True)
class WorkLine:
    """`requested`: units that the warehouse is asked to cancel."""

    line: int
    sku_id: int
    quantity: int
    picked: int
    shipped: int
    cancelled: int
    short: int
    cancel_requested: int

    @property
    def open(self) -> int:
        """Units that are promised and not shipped yet: what it binds of the ledger's `committed`."""
        return self.quantity - self.shipped - self.cancelled - self.short

    @property
    def requested(self) -> int:
        """Shipping wins: what was shipped is not asked for any more."""
        return min(self.cancel_requested, self.open)


@dataclass(slots=True)
class Work:
    """A fulfilment order. `partner`: its warehouse is a third party's. `lines` by the number of the order's line."""

    id: UUID
    warehouse_id: int
    status: FulfillmentStatus
    day: datetime.date | None
    hold_reason: str | None
    cancel_requested_at: datetime.datetime | None
    partner: bool
    lines: dict[int, WorkLine] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def free(self) -> bool:
        """Whether units can be taken from it without asking the warehouse."""
        return self.status in (FREE_PARTNER if self.partner else FREE_OWN)


@dataclass(slots=True)
class OrderLineNow:
    """`counts` as they are changed along; `before`: as they were locked."""

    line: int
    external_id: str
    sku_id: int | None
    sku_code: str | None
    title: str | None
    untold: int
    counts: LineCounts
    before: LineCounts


@dataclass(slots=True)
class OrderNow:
    """An order as it is. `row`: its columns."""

    row: Mapping[str, Any]
    lines: dict[int, OrderLineNow]
    works: list[Work]

    @property
    def id(self) -> UUID:
        found: UUID = self.row["id"]
        return found

    @property
    def channel_id(self) -> int:
        return int(self.row["channel_id"])

    @property
    def status(self) -> OrderStatus:
        return OrderStatus(self.row["status"])

    @property
    def payment(self) -> Payment:
        return Payment(self.row["payment"])

    @property
    def label(self) -> str:
        """What people call it."""
        return str(self.row["name"] or self.row["external_id"])

    def requested(self, line: int) -> int:
        """Units of a line that warehouses are asked to cancel."""
        return sum(work.lines[line].requested for work in self.works if not work.ended and line in work.lines)

    @property
    def backordered(self) -> dict[int, int]:
        """Units by line that are wanted and promised from nowhere."""
        return {number: units for number, line in self.lines.items() if (units := line.counts.backordered)}

    def add_line(
        self, number: int, external_id: str, sku_id: int | None, code: str | None, title: str | None, units: int
    ) -> None:
        counts = LineCounts(units)
        self.lines[number] = OrderLineNow(number, external_id, sku_id, code, title, 0, counts, counts)

    def known_lines(self) -> list[KnownLine]:
        return [
            KnownLine(one.line, one.external_id, one.counts, self.requested(one.line), one.untold)
            for one in self.lines.values()
        ]


async def lock_order(connection: Any, order_id: UUID) -> OrderNow | None:
    """On the caller's transaction, which nobody else can overtake in this order. None when there is none."""
    row = await connection.fetchrow(_ORDER + " FOR UPDATE", order_id)
    return None if row is None else await _read_rest(connection, row, " FOR UPDATE OF f")


async def see_order(connection: Any, order_id: UUID) -> OrderNow | None:
    """The same without locks, to find out whether there is anything to do."""
    row = await connection.fetchrow(_ORDER, order_id)
    return None if row is None else await _read_rest(connection, row, "")


async def _read_rest(connection: Any, row: Any, locking: str) -> OrderNow:
    found = await connection.fetch(_WORKS + locking, row["id"])
    works = {
        one["id"]: Work(
            *(one["id"], one["warehouse_id"], FulfillmentStatus(one["status"]), one["day"], one["hold_reason"]),
            *(one["cancel_requested_at"], one["kind"] == "THIRD_PARTY"),
        )
        for one in found
    }
    if works:
        for one in await connection.fetch(_WORK_LINES, list(works)):
            works[one[0]].lines[one["line"]] = WorkLine(*one[1:])
    lines = {}
    for one in await connection.fetch(_LINES, row["id"]):
        counts = LineCounts(*one[6:])
        lines[one["line"]] = OrderLineNow(one[0], one[1], one[2], one[3], one[4], one[5], counts, counts)
    return OrderNow(dict(row), lines, list(works.values()))
