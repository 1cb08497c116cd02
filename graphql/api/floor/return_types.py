"""Returns as clients see them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import strawberry

from api.ids import encode_id
from api.scalars import Counted, Edge, Money, PageInfo, to_money
from api.stock.types import Node, Sku, Warehouse, sku_from_row, warehouse_from_row
from app.floor.find_document import write_label
from domain.returns import (
    Condition,
    Custody,
    Disposition,
    Finding,
    MoneyTrack,
    RefundState,
    ReturnOrigin,
    ReturnState,
)

strawberry.enum(ReturnState, name="ReturnState")
strawberry.enum(ReturnOrigin, name="ReturnOrigin", description="Who said first that it comes. DOCK: nobody did.")
strawberry.enum(Custody, name="ReturnCustody", description="Where the parcel is.")
strawberry.enum(Condition, name="ReturnCondition", description="Whether what was received has been looked at.")
strawberry.enum(
    MoneyTrack,
    name="ReturnMoney",
    description="DUE: we owe it. TOLD: the channel was told to pay. CONFIRMED: it says that it did.",
)
strawberry.enum(
    RefundState,
    description="Whether the channel is told to pay. REFUSED: it will not, or has no call for it: somebody pays there.",
)
strawberry.enum(
    Disposition,
    name="ReturnDisposition",
    description="What becomes of a unit. QUALITY_CONTROL: it stays aside. MISSING: it was not in the parcel.",
)
strawberry.enum(Finding, name="ReturnFinding", description="How a line came to be in the return.")
_PLAIN = (
    *("state", "origin", "custody", "condition", "money", "external_id", "order_reference", "exchange_reference"),
    *("reason", "note", "channel_restocked", "actor", "expected_by", "received_at", "inspected_at", "refund_due_at"),
    *(
        "refund_state",
        "refund_error",
        "refund_external_id",
        "refund_told_at",
        "refund_confirmed_at",
        "ended_at",
        "created_at",
        "channel",
        "order_name",
    ),
)


@strawberry.type(description="Units of one SKU, or of something that nobody knows.")
class ReturnLine:
    sku: Sku | None
    description: str | None = strawberry.field(description="Of what nobody knows.")
    finding: Finding
    authorized: int
    received: int
    inspected: int


@strawberry.type(description="What became of some units.")
class ReturnInspection:
    sku: str = strawberry.field(description="Code.")
    quantity: int
    disposition: Disposition
    grade: str | None
    evidence: str | None
    note: str | None
    actor: str
    at: datetime.datetime


@strawberry.type(description="Something that comes back. `custody`, `condition` and `money` go each their own way.")
class Return(Node):
    label: str = strawberry.field(description="What is printed on it, as in RT-12.")
    state: ReturnState
    origin: ReturnOrigin
    custody: Custody
    condition: Condition
    money: MoneyTrack
    warehouse: Warehouse
    channel: str | None
    external_id: str | None = strawberry.field(description="The channel's own id of it.")
    order_key: strawberry.Private[str | None]
    order_name: str | None
    order_reference: str | None
    exchange_key: strawberry.Private[str | None]
    exchange_reference: str | None
    exchange_taken: strawberry.Private[str | None]
    lines: list[ReturnLine]
    inspections: list[ReturnInspection]
    reason: str | None
    note: str | None
    amount: strawberry.Private[str | None]
    currency: strawberry.Private[str | None]
    channel_restocked: bool = strawberry.field(
        description="The channel put it back into its own count. That has moved nothing here."
    )
    actor: str
    expected_by: datetime.datetime
    received_at: datetime.datetime | None
    inspected_at: datetime.datetime | None
    refund_state: RefundState
    refund_error: str | None = strawberry.field(description="What the channel said to the last try.")
    refund_external_id: str | None = strawberry.field(description="The channel's own id of the refund.")
    refund_due_at: datetime.datetime | None
    refund_told_at: datetime.datetime | None
    refund_confirmed_at: datetime.datetime | None
    ended_at: datetime.datetime | None
    created_at: datetime.datetime

    @strawberry.field
    def order_id(self) -> strawberry.ID | None:
        return None if self.order_key is None else strawberry.ID(encode_id("Order", self.order_key))

    @strawberry.field(
        description="The order sent instead. It is the same one when its store added lines (`exchangeReturnId`) to it."
    )
    def exchange_order_id(self) -> strawberry.ID | None:
        return None if self.exchange_key is None else strawberry.ID(encode_id("Order", self.exchange_key))

    @strawberry.field(
        description="What the order sent instead took of the refund. Null: nothing is sent instead, or nobody has said."
    )
    def exchange_amount(self) -> Money | None:
        return to_money(None if self.exchange_taken is None else Decimal(self.exchange_taken), self.currency)

    @strawberry.field
    def refund(self) -> Money | None:
        return to_money(None if self.amount is None else Decimal(self.amount), self.currency)


@strawberry.type
class ReturnConnection(Counted):
    edges: list[Edge[Return]]
    nodes: list[Return]
    page_info: PageInfo


def _line_from_row(line: Any) -> ReturnLine:
    return ReturnLine(
        sku=None if line["sku"] is None else sku_from_row(line["sku"]),
        **{name: line[name] for name in ("description", "finding", "authorized", "received", "inspected")},
    )


def _key(value: Any) -> str | None:
    return None if value is None else str(value)


def return_from_row(row: Any) -> Return:
    return Return(
        key=str(row["id"]),
        label=write_label("return", row["number"]),
        warehouse=warehouse_from_row(row["warehouse"]),
        order_key=_key(row["order_id"]),
        exchange_key=_key(row["exchange_order_id"]),
        exchange_taken=row.get("exchange_amount"),
        amount=row["refund_amount"],
        currency=row["refund_currency"],
        lines=[_line_from_row(line) for line in row["lines"]],
        inspections=[
            ReturnInspection(**{**one, "at": datetime.datetime.fromisoformat(one["at"])}) for one in row["inspections"]
        ],
        **{name: row[name] for name in _PLAIN},
    )
