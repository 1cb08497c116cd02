"""Orders as clients see them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import strawberry
from strawberry.scalars import JSON

from api.context import Info
from api.directives import EVERYONE, Cost, Requires, check_requirement
from api.fulfillment.states import FulfillmentStatus
from api.fulfillment.types import FulfillmentOrder, work_from_row
from api.ids import encode_id
from api.scalars import Counted, Edge, Money, PageInfo, to_money
from api.stock.types import Node
from domain.cancellations import CancelReason, NoticeState
from domain.orders import LineCounts, LineStatus, OrderStatus, Payment, line_status

strawberry.enum(OrderStatus, description="BACKORDERED: nothing that it still wants is promised from a warehouse.")
strawberry.enum(
    NoticeState,
    name="CancelNoticeState",
    description="TOLD: the channel took it. ACKNOWLEDGED: its own word of the order names no more than is left. "
    "REFUSED: a case says what to do. LAPSED: nothing was left to tell, it was shipped or is wanted after all.",
)
strawberry.enum(CancelReason, description="As a channel may pass it on to the buyer.")
strawberry.enum(LineStatus, name="OrderLineStatus", description="What one line has come to.")
strawberry.enum(Payment, description="PENDING: stock is held for it, nothing is released to a warehouse.")


@strawberry.type(description="Units of an order line promised from one warehouse, or shipped from it.")
class Allocation:
    warehouse: str
    quantity: int = strawberry.field(description="Shipped ones among them.")
    shipped: int
    status: FulfillmentStatus = strawberry.field(description="Of the fulfilment order.")
    fulfillment_order_id: strawberry.ID


@strawberry.type(description="quantity = backordered + allocated + shipped + cancelled")
class OrderLine:
    external_id: str
    sku: str | None = strawberry.field(description="Code; null when the channel sold something we do not know.")
    title: str | None
    quantity: int = strawberry.field(description="All that was ever ordered of it.")
    backordered: int
    allocated: int
    shipped: int
    shipped_elsewhere: int = strawberry.field(
        description="Of the shipped ones: those that had left before the order was heard of, from no warehouse of ours."
    )
    cancelled: int
    status: LineStatus
    unit_price: Money | None
    exchange_return_id: strawberry.ID | None = strawberry.field(
        description="The return that it is sent instead of: the store added the line to the order."
    )
    allocations: list[Allocation]


@strawberry.type(description="Where it goes, without who: city and postal code go when the contact is erased.")
class Destination:
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None


@strawberry.type(description="Something that happened to an order.")
class OrderEvent:
    at: datetime.datetime
    actor: str
    action: str = strawberry.field(description="PLACED, EDITED, CANCELLED, PAID, HELD, LET_GO, ALLOCATED and so on.")
    note: str | None
    data: JSON | None


@strawberry.type(description="Personal data of an order, kept sealed and erased on the schedule of its channel's kind.")
class OrderContact:
    name: str | None
    lines: list[str]
    city: str | None
    region: str | None
    postal_code: str | None
    country_code: str | None
    email: str | None
    phone: str | None


_WORK = Requires(roles=EVERYONE, scope="fulfillment:read")


@strawberry.type(description="Whether the order's channel knows what was cancelled of it here.")
class CancelNotice:
    state: NoticeState
    reason: CancelReason
    asked_at: datetime.datetime
    told_at: datetime.datetime | None = strawberry.field(description="When the channel took it first.")
    acknowledged_at: datetime.datetime | None = strawberry.field(
        description="When the channel's own word of the order first named no more than is left."
    )
    attempts: int
    error: str | None = strawberry.field(description="Why the last try failed.")


@strawberry.type(
    description="A token that is limited to warehouses sees an order as if there were nothing but its own work of it."
)
class Order(Node):
    channel: str
    external_id: str
    name: str | None
    status: OrderStatus
    payment: Payment
    hold_reason: str | None = strawberry.field(description="While it is held nothing of it goes on in a warehouse.")
    cancel_requested_at: datetime.datetime | None = strawberry.field(
        description="The buyer asked to cancel, and the channel has not said what came of it."
    )
    placed_at: datetime.datetime
    ship_by: datetime.datetime | None
    deliver_by: datetime.datetime | None
    destination: Destination
    contact_erased_at: datetime.datetime | None
    total: Money | None
    problem: str | None = strawberry.field(description="Why something of it is promised from nowhere.")
    version: str
    updated_at: datetime.datetime
    lines: list[OrderLine]
    cancellation: CancelNotice | None = strawberry.field(
        description="Null when nothing was cancelled here, when its channel is told nothing, and for tokens that are "
        "limited to warehouses."
    )
    exchange_key: strawberry.Private[UUID | None]
    events: strawberry.Private[list[OrderEvent] | None] = None

    @strawberry.field(
        directives=[Cost(weight=5)],
        description="Oldest first; the last 200. Empty for tokens that are limited to warehouses.",
    )
    def timeline(self, info: Info) -> list[OrderEvent]:
        if self.events is not None:
            return self.events
        return self._load_timeline(info)  # type: ignore[return-value]

    async def _load_timeline(self, info: Info) -> list[OrderEvent]:
        return events_from_rows(await info.context.loaders.timeline_of_order.load(UUID(self.key)))

    @strawberry.field(
        directives=[Cost(weight=10)],
        description="The work of it at its warehouses with its parcels, oldest first; at most 100. Needs the scope "
        "fulfillment:read of a token that is limited to scopes.",
    )
    async def fulfillment_orders(self, info: Info) -> list[FulfillmentOrder]:
        check_requirement(_WORK, info.context.principal, "Order.fulfillmentOrders")
        return [work_from_row(row) for row in await info.context.loaders.works_of_order.load(UUID(self.key))]

    @strawberry.field(
        directives=[Cost(weight=10)],
        description="The order that this one is sent instead of, units of which came back or are to. Null: of none, or "
        "of one that is not yours to see.",
    )
    async def exchange_of(self, info: Info) -> Order | None:
        if self.exchange_key is None:
            return None
        row = await info.context.loaders.order_of_id.load(self.exchange_key)
        return None if row is None else order_from_row(row)

    @strawberry.field(
        directives=[Cost(weight=10)],
        description="Orders that are sent instead of units of it that came back or are to, oldest first.",
    )
    async def exchanges(self, info: Info) -> list[Order]:
        return [order_from_row(row) for row in await info.context.loaders.exchanges_of_order.load(UUID(self.key))]


@strawberry.type
class OrderConnection(Counted):
    edges: list[Edge[Order]]
    nodes: list[Order]
    page_info: PageInfo


_MOMENTS = ("asked_at", "told_at", "acknowledged_at")
_KEPT = (
    *("channel", "external_id", "name", "status", "payment", "hold_reason", "cancel_requested_at", "placed_at"),
    *("ship_by", "deliver_by", "contact_erased_at", "problem", "updated_at"),
)


def order_from_row(row: Any, events: list[OrderEvent] | None = None) -> Order:
    """`events`: its timeline, when that has been read already."""
    goal = row["destination"] or {}
    return Order(
        key=str(row["id"]),
        lines=[_line(line, row["currency"]) for line in row["lines"]],
        destination=Destination(
            country=goal.get("country"),
            region=goal.get("region"),
            city=goal.get("city"),
            postal_code=goal.get("postal_code"),
        ),
        total=_money(row["total"], row["currency"]),
        version=str(row["version"]),
        exchange_key=_uuid(row.get("exchange_of")),
        cancellation=_notice(row["cancellation"]),
        events=[] if row["own"] else events,
        **{name: row[name] for name in _KEPT},
    )


def _uuid(found: Any) -> UUID | None:
    """Kept answers have it as text."""
    return None if found is None else UUID(str(found))


def _notice(found: Any) -> CancelNotice | None:
    if found is None:
        return None
    return CancelNotice(
        state=NoticeState(found["state"]),
        reason=CancelReason(found["reason"]),
        attempts=found["attempts"],
        error=found["error"],
        **{name: found[name] and datetime.datetime.fromisoformat(found[name]) for name in _MOMENTS},
    )


def _line(line: Any, currency: str | None) -> OrderLine:
    counts = LineCounts(line["quantity"], line["allocated"], line["shipped"], line["cancelled"])
    return OrderLine(
        external_id=line["external_id"],
        sku=line["sku_code"],
        title=line["title"],
        quantity=counts.quantity,
        backordered=counts.backordered,
        allocated=counts.allocated,
        shipped=counts.shipped,
        shipped_elsewhere=line.get("shipped_elsewhere", 0),
        cancelled=counts.cancelled,
        status=line_status(counts),
        unit_price=_money(line["unit_price"], currency),
        exchange_return_id=_return_id(line.get("exchange_return_id")),
        allocations=[_allocation(found) for found in line["allocations"]],
    )


def _return_id(found: str | None) -> strawberry.ID | None:
    return None if found is None else strawberry.ID(encode_id("Return", found))


def _allocation(found: Any) -> Allocation:
    return Allocation(
        warehouse=found["warehouse"],
        quantity=found["quantity"],
        shipped=found["shipped"],
        status=FulfillmentStatus(found["status"]),
        fulfillment_order_id=strawberry.ID(encode_id("FulfillmentOrder", found["id"])),
    )


def _money(amount: Any, currency: str | None) -> Money | None:
    return to_money(None if amount is None else Decimal(amount), currency)


def events_from_rows(rows: list[Any]) -> list[OrderEvent]:
    return [
        OrderEvent(
            at=row["at"],
            actor=row["actor"],
            action=row["action"],
            note=row["note"],
            data=None if row["data"] is None else orjson.loads(row["data"]),
        )
        for row in rows
    ]


def contact_from(found: Any) -> OrderContact:
    names = ("name", "city", "region", "postal_code", "country_code", "email", "phone")
    return OrderContact(lines=list(found.get("lines") or []), **{name: found.get(name) for name in names})
