"""Transfers as clients see them."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from api.ids import encode_id
from api.scalars import Counted, Edge, PageInfo
from api.stock.types import Node, Sku, Warehouse, sku_from_row, warehouse_from_row
from app.floor.find_document import write_label
from domain.transfers import TransferState

strawberry.enum(
    TransferState,
    name="TransferState",
    description="AWAITING_APPROVAL: by a second person. APPROVED, PICKING: held at the source. RETURNING: called back.",
)
COUNTS = (
    *("requested", "picked", "shipped", "received", "damaged", "missing", "recalled", "returned", "returned_damaged"),
    "written_off",
)
_PLAIN = (
    *("state", "reference", "note", "carrier", "tracking_number", "expected_at", "approved_at", "shipped_at"),
    *("received_at", "ended_at", "created_at"),
)


@strawberry.type(description="Units of one SKU.")
class TransferLine:
    sku: Sku
    requested: int
    picked: int
    shipped: int
    received: int
    damaged: int
    missing: int = strawberry.field(description="Said to be missing, and on the way until it is closed.")
    recalled: int = strawberry.field(description="Turned round on the way.")
    returned: int = strawberry.field(description="Received at the source again.")
    returned_damaged: int
    written_off: int = strawberry.field(description="Never came: lost when it was closed.")


@strawberry.type(description="Stock on its way from one warehouse to another.")
class Transfer(Node):
    label: str = strawberry.field(description="What is printed on it, as in TR-12.")
    state: TransferState
    source: Warehouse
    destination: Warehouse
    lines: list[TransferLine]
    order_key: strawberry.Private[str | None]
    order_name: str | None
    reference: str | None
    note: str | None
    carrier: str | None
    tracking_number: str | None
    requested_by: str
    approved_by: str | None
    expected_at: datetime.datetime | None
    approved_at: datetime.datetime | None
    shipped_at: datetime.datetime | None
    received_at: datetime.datetime | None
    ended_at: datetime.datetime | None
    created_at: datetime.datetime

    @strawberry.field(description="The order that waits for what it brings (`exceptionRecover`, SUBSTITUTE).")
    def order_id(self) -> strawberry.ID | None:
        return None if self.order_key is None else strawberry.ID(encode_id("Order", self.order_key))


@strawberry.type
class TransferConnection(Counted):
    edges: list[Edge[Transfer]]
    nodes: list[Transfer]
    page_info: PageInfo


def transfer_from_row(row: Any) -> Transfer:
    lines = [
        TransferLine(sku=sku_from_row(line["sku"]), **{name: line[name] for name in COUNTS}) for line in row["lines"]
    ]
    return Transfer(
        key=str(row["id"]),
        label=write_label("transfer", row["number"]),
        source=warehouse_from_row(row["source"]),
        destination=warehouse_from_row(row["destination"]),
        lines=lines,
        order_key=None if row["order_id"] is None else str(row["order_id"]),
        order_name=row["order_name"],
        requested_by=row["requested_name"],
        approved_by=row["approved_name"],
        **{name: row[name] for name in _PLAIN},
    )
