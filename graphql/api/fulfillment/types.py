"""Fulfilment orders, parcels and pick lists as warehouses and partners see them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import strawberry

from api.context import Info
from api.fulfillment.states import Delivery, FulfillmentStatus
from api.ids import encode_id
from api.scalars import Counted, Edge, PageInfo
from api.stock.types import Node


@strawberry.enum(description="Whether the channel knows of a parcel. NOT_NEEDED: it is told nothing.")
class Confirmation(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    NOT_NEEDED = "NOT_NEEDED"


@strawberry.type(description="Where a SKU lies.")
class BinStock:
    zone: str
    bin: str
    quantity: int


@strawberry.type(description="Units of a SKU that one warehouse ships of an order.")
class FulfillmentOrderLine:
    sku: str
    barcode: str | None
    title: str | None
    quantity: int
    picked: int
    shipped: int
    cancelled: int = strawberry.field(description="Taken away: cancelled, moved, split off or rejected.")
    short: int = strawberry.field(description="Was not there when it was to be picked.")
    cancel_requested: int = strawberry.field(
        description="The warehouse is asked not to ship these: fulfillmentOrderCancel gives them up."
    )
    bins: list[BinStock] = strawberry.field(description="Where it lies, in the order in which bins are walked.")


@strawberry.type(description="Units of a SKU in a parcel.")
class FulfillmentLine:
    sku: str
    quantity: int


@strawberry.type(description="A parcel that left.")
class Fulfillment(Node):
    carrier: str
    tracking_number: str
    shipped_at: datetime.datetime
    delivery: Delivery
    delivered_at: datetime.datetime | None
    confirmation: Confirmation
    confirmed_at: datetime.datetime | None
    attempts: int = strawberry.field(description="How often the channel was told.")
    error: str | None = strawberry.field(description="What the channel said against it.")
    lines: list[FulfillmentLine]


@strawberry.type(description="What one warehouse is to ship of an order.")
class FulfillmentOrder(Node):
    order_key: strawberry.Private[str]
    house_key: strawberry.Private[int]
    sold_at: strawberry.Private[str]
    order_name: str | None
    warehouse: str
    status: FulfillmentStatus
    day: str | None = strawberry.field(description="In the warehouse's own calendar, as in 2026-11-24.")
    release_at: datetime.datetime | None
    released_at: datetime.datetime | None
    accept_by: datetime.datetime | None = strawberry.field(
        description="Promised from elsewhere when nobody has by then."
    )
    ship_by: datetime.datetime | None
    hold_reason: str | None = strawberry.field(description="Not null: it is held.")
    reject_reason: str | None
    cancel_requested_at: datetime.datetime | None
    assignee: str | None
    version: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    lines: list[FulfillmentOrderLine]
    shipments: list[Fulfillment]

    @strawberry.field(description="Code. Null for a token limited to warehouses: a channel may sell from others too.")
    def channel(self, info: Info) -> str | None:
        return self.sold_at if info.context.principal.warehouse_ids is None else None

    @strawberry.field(description="The order's global id.")
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(encode_id("Order", self.order_key))


@strawberry.type
class FulfillmentOrderConnection(Counted):
    edges: list[Edge[FulfillmentOrder]]
    nodes: list[FulfillmentOrder]
    page_info: PageInfo


_KEPT = (
    *("order_name", "warehouse", "status", "day", "release_at", "released_at"),
    *("accept_by", "ship_by", "hold_reason", "reject_reason", "cancel_requested_at", "assignee", "version"),
    *("created_at", "updated_at"),
)
_COUNTS = ("sku", "barcode", "title", "quantity", "picked", "shipped", "cancelled", "short", "cancel_requested")
_PARCEL = (
    *("carrier", "tracking_number", "shipped_at", "delivery", "delivered_at", "confirmation", "confirmed_at"),
    *("attempts", "error"),
)


def work_from_row(row: Mapping[str, Any]) -> FulfillmentOrder:
    return FulfillmentOrder(
        key=str(row["id"]),
        order_key=str(row["order_id"]),
        house_key=row["warehouse_id"],
        sold_at=row["channel"],
        lines=_lines(row["lines"]),
        shipments=[parcel_from_row(parcel) for parcel in row["shipments"]],
        **{name: row[name] for name in _KEPT},
    )


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[FulfillmentOrderLine]:
    return [
        FulfillmentOrderLine(bins=[_bin(found) for found in row["bins"]], **{name: row[name] for name in _COUNTS})
        for row in rows
    ]


def _bin(row: Mapping[str, Any]) -> BinStock:
    return BinStock(zone=row["zone"], bin=row["code"], quantity=row["quantity"])


def parcel_from_row(row: Mapping[str, Any]) -> Fulfillment:
    lines = [FulfillmentLine(**line) for line in row["lines"]]
    return Fulfillment(key=str(row["id"]), lines=lines, **{name: row[name] for name in _PARCEL})
