"""The rows of a new order: header, lines, contact and first event, whoever allocates it.

They go into the statement that posts its stock. A second order of the same channel and external id fails on its
unique key, its allocations with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from adapters.postgres.documents import Documents, DocumentTable
from adapters.postgres.rows import RowShape
from app.orders.keep_contact import is_traceable, write_destination
from domain.orders import LineCounts, Payment, order_status

ORDERS = DocumentTable(
    "orders",
    RowShape(
        (
            *(("id", "uuid"), ("channel_id", "int"), ("external_id", "text"), ("name", "text"), ("status", "text")),
            *(("payment", "text"), ("hold_reason", "text"), ("cancel_requested_at", "timestamptz")),
            *(("placed_at", "timestamptz"), ("ship_by", "timestamptz"), ("deliver_by", "timestamptz")),
            *(("destination", "json"), ("total", "numeric"), ("currency", "text"), ("channel_version", "bigint")),
            *(("problem", "text"), ("exchange_of", "uuid"), ("channel_knows", "bool")),
        )
    ),
)
ORDER_LINES = DocumentTable(
    "order_lines",
    RowShape(
        (
            *(("order_id", "uuid"), ("line", "int"), ("external_id", "text"), ("sku_id", "int")),
            *(("sku_code", "text"), ("title", "text"), ("quantity", "int"), ("allocated", "int"), ("shipped", "int")),
            ("shipped_elsewhere", "int"),
            ("unit_price", "numeric"),
        )
    ),
)
ORDER_CONTACTS = DocumentTable("order_contacts", RowShape((("order_id", "uuid"), ("sealed", "bytea"))))
ORDER_EVENTS = DocumentTable(
    "order_events",
    RowShape((("order_id", "uuid"), ("actor", "text"), ("action", "text"), ("note", "text"), ("data", "json"))),
)
CANCEL_ASKED = "CANCEL_REQUESTED"
"""The hold of an order whose buyer asks to cancel it: nothing of it is released until that is answered."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """`sku_id` is None when nothing is known under the code of the line."""

    sold: ChannelOrderLine
    sku_id: int | None

    @property
    def gone(self) -> int:
        """Units that somebody else had shipped before we heard of the order."""
        return min(self.sold.shipped, self.sold.quantity)

    @property
    def wanted(self) -> int:
        return self.sold.quantity - self.gone


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be recorded. `sealed`: its contact, as `keep_contact` seals it; None without one or without a key.

    `exchange_of`: the order that it is sent instead of. `channel_knows` False: it was made here, and its channel is
    told nothing of it. `note`: for its timeline.
    """

    id: UUID
    channel_id: int
    order: ChannelOrder
    lines: tuple[OrderLine, ...]
    sealed: bytes | None
    actor: str
    exchange_of: UUID | None = None
    channel_knows: bool = True
    note: str | None = None

    def record(self, allocated: Mapping[int, int], problem: str | None) -> Documents:
        """`allocated`: units promised of each line, by its place in `lines`."""
        order, goal = self.order, write_destination(self.order)
        counts = [LineCounts(line.sold.quantity, allocated.get(n, 0), line.gone) for n, line in enumerate(self.lines)]
        asked = bool(order.cancel_requested)
        header = (
            *(self.id, self.channel_id, order.external_id, order.name, order_status(counts).value),
            *((Payment.PENDING if order.pending else Payment.PAID).value, CANCEL_ASKED if asked else None),
            *(order.placed_at if asked else None, order.placed_at, order.ship_by, order.deliver_by),
            *(orjson.dumps(goal).decode(), order.total, order.currency, order.version, problem),
            *(self.exchange_of, self.channel_knows),
        )
        return {
            ORDERS: [header],
            ORDER_LINES: self._lines(allocated),
            ORDER_CONTACTS: [(self.id, self.sealed)] if self.sealed is not None or is_traceable(goal) else [],
            ORDER_EVENTS: self._events(),
        }

    def _events(self) -> list[tuple[Any, ...]]:
        events: list[tuple[Any, ...]] = [(self.id, self.actor, "PLACED", self.note, None)]
        gone = {line.sold.external_id: line.gone for line in self.lines if line.gone}
        if gone:
            events.append((self.id, self.actor, "SHIPPED_ELSEWHERE", None, orjson.dumps(gone).decode()))
        return events

    def _lines(self, allocated: Mapping[int, int]) -> Sequence[tuple[Any, ...]]:
        return [
            (
                *(self.id, number, line.sold.external_id, line.sku_id, line.sold.sku, line.sold.title),
                *(line.sold.quantity, allocated.get(number, 0), line.gone, line.gone, line.sold.unit_price),
            )
            for number, line in enumerate(self.lines)
        ]
