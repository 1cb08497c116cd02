"""SKUs, warehouses, levels, movements and reservations as clients see them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import strawberry

from api.context import Info
from api.directives import Cost, requires_costs
from api.ids import encode_id
from api.scalars import Counted, Edge, Money, PageInfo, to_money
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from domain.stock import OUTSIDE


@strawberry.enum(description="Who runs a warehouse.")
class WarehouseKind(StrEnum):
    OWN = "OWN"
    THIRD_PARTY = "THIRD_PARTY"


@strawberry.enum(
    description="While it is ONBOARDING or SHADOW its own system is in charge: snapshots are compared, nothing is sold."
)
class WarehouseStatus(StrEnum):
    ONBOARDING = "ONBOARDING"
    SHADOW = "SHADOW"
    LIVE = "LIVE"
    CLOSED = "CLOSED"


@strawberry.enum
class SkuStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


@strawberry.enum(description="Where units stand. The last five are accounts of the world outside.")
class StockBucket(StrEnum):
    AVAILABLE = "available"
    RESERVED = "reserved"
    COMMITTED = "committed"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    IN_TRANSIT = "in_transit"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    ADJUSTMENT = "adjustment"
    SCRAP = "scrap"
    TRANSFER = "transfer"


@strawberry.enum
class ReservationStatus(StrEnum):
    ACTIVE = "ACTIVE"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@strawberry.interface(description="Anything with a global id.")
class Node:
    key: strawberry.Private[str]

    @strawberry.field(description="Opaque and global.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_id(type(self).__name__, self.key))


@strawberry.type
class Warehouse(Node):
    code: str
    name: str
    kind: WarehouseKind
    status: WarehouseStatus
    address: str | None
    country_code: str | None = strawberry.field(description="ISO 3166, as in DE.")
    latitude: float | None
    longitude: float | None
    time_zone: str
    storage_capacity: int | None = strawberry.field(description="Litres.")
    daily_order_capacity: int | None
    cut_off: str | None = strawberry.field(description="Orders until then leave the same day: HH:MM in its time zone.")
    groups: list[str] = strawberry.field(description="Names that routing rules choose warehouses by.")
    working_days: list[int] = strawberry.field(description="Of the week: Monday is 1, Sunday 7.")
    closed_on: list[str] = strawberry.field(description="Days on which it does not work: YYYY-MM-DD.")
    open_from: str | None = strawberry.field(description="When its day begins: HH:MM in its time zone; null: midnight.")


@strawberry.type
class Sku(Node):
    code: str
    title: str
    barcode: str | None
    amount: strawberry.Private[Decimal | None]
    currency: strawberry.Private[str]
    weight_grams: int | None
    volume_ml: int | None
    status: SkuStatus
    frozen: bool = strawberry.field(description="Taken off every channel.")
    tags: list[str] = strawberry.field(description="Names that routing rules choose SKUs by.")

    @strawberry.field(directives=requires_costs(), description="What one unit costs us.")
    def unit_cost(self) -> Money | None:
        return to_money(self.amount, self.currency)

    @strawberry.field(directives=[Cost(weight=5)], description="Its level in each warehouse you may see.")
    async def stock(self, info: Info) -> list[StockLevel]:
        return [level_from_row(row) for row in await info.context.loaders.levels_of_sku.load(int(self.key))]


@strawberry.type(description="Units that a purchase order or a transfer still brings.")
class ExpectedStock:
    quantity: int
    expected_at: datetime.datetime | None = strawberry.field(description="Null: nobody said when.")
    document: str


@strawberry.type(description="The balances of one SKU in one warehouse, units.")
class StockLevel(Node):
    sku: Sku
    warehouse: Warehouse
    available: int
    reserved: int
    committed: int
    damaged: int
    quality_control: int
    in_transit: int
    incoming: int
    safety_stock: int = strawberry.field(description="Units that are not published; `safetyStockSet` says how many.")
    version: int = strawberry.field(description="Goes up with every change.")
    updated_at: datetime.datetime

    @strawberry.field(
        directives=[Cost(weight=5)], description="What makes up incoming and inTransit, the soonest first."
    )
    async def expected(self, info: Info) -> list[ExpectedStock]:
        key = (int(self.sku.key), int(self.warehouse.key))
        rows = await info.context.loaders.expected_of_level.load(key)
        return [
            ExpectedStock(quantity=row["units"], expected_at=row["expected_at"], document=row["document"])
            for row in rows
        ]

    @strawberry.field(description="available + reserved + committed + damaged + qualityControl.")
    def on_hand(self) -> int:
        return self.available + self.reserved + self.committed + self.damaged + self.quality_control


@strawberry.type(description="One posting of the ledger. It is never changed.")
class StockMovement(Node):
    posted_at: datetime.datetime
    effective_at: datetime.datetime
    sku: Sku
    warehouse: Warehouse
    from_bucket: StockBucket
    to_bucket: StockBucket
    quantity: int
    from_balance_after: int
    to_balance_after: int
    reason: str
    note: str | None
    reference: str | None
    document: str | None
    actor: str
    request_id: str | None
    idempotency_key: str | None
    amount: strawberry.Private[Decimal | None]
    currency: strawberry.Private[str | None]

    @strawberry.field(description="Of the bucket the units came to, or of the one they left for the world outside.")
    def balance_after(self) -> int:
        outside = self.to_bucket in OUTSIDE
        return self.from_balance_after if outside else self.to_balance_after

    @strawberry.field(directives=requires_costs())
    def unit_cost(self) -> Money | None:
        return to_money(self.amount, self.currency)


@strawberry.type
class ReservationLine:
    sku: Sku
    warehouse: Warehouse
    quantity: int


@strawberry.type(description="Stock held for a time, before there is an order.")
class Reservation(Node):
    status: ReservationStatus
    reference: str | None
    expires_at: datetime.datetime
    created_at: datetime.datetime
    placed: strawberry.Private[Sequence[Sequence[int]]]

    @strawberry.field(directives=[Cost(weight=5)])
    async def lines(self, info: Info) -> list[ReservationLine]:
        database = info.context.state.database
        skus = {row["s_id"]: sku_from_row(row) for row in await read_skus_by_ids(database, [p[0] for p in self.placed])}
        houses = {
            row["w_id"]: warehouse_from_row(row)
            for row in await read_warehouses_by_ids(database, [p[1] for p in self.placed])
        }
        return [ReservationLine(sku=skus[p[0]], warehouse=houses[p[1]], quantity=p[2]) for p in self.placed]


@strawberry.type
class StockLevelConnection(Counted):
    edges: list[Edge[StockLevel]]
    nodes: list[StockLevel]
    page_info: PageInfo


@strawberry.type
class StockMovementConnection(Counted):
    edges: list[Edge[StockMovement]]
    nodes: list[StockMovement]
    page_info: PageInfo


@strawberry.type
class SkuConnection(Counted):
    edges: list[Edge[Sku]]
    nodes: list[Sku]
    page_info: PageInfo


@strawberry.type(description="Units in a bucket that one document put there, net.")
class StockTermDocument:
    document: str
    quantity: int
    movements: int
    last_posted_at: datetime.datetime


@strawberry.type
class StockTerm:
    bucket: StockBucket
    quantity: int
    documents: list[StockTermDocument]


@strawberry.type(description="What makes up each number of a stock level.")
class StockExplanation:
    level: StockLevel
    terms: list[StockTerm]


def warehouse_from_row(row: Any) -> Warehouse:
    return Warehouse(
        key=str(row["w_id"]),
        code=row["w_code"],
        name=row["w_name"],
        kind=row["w_kind"],
        status=row["w_status"],
        address=row["w_address"],
        country_code=row["w_country_code"],
        latitude=row["w_latitude"],
        longitude=row["w_longitude"],
        time_zone=row["w_time_zone"],
        storage_capacity=row["w_storage_capacity"],
        daily_order_capacity=row["w_daily_order_capacity"],
        cut_off=row["w_cut_off"],
        groups=row["w_groups"],
        working_days=row["w_working_days"],
        closed_on=[str(day) for day in row["w_closed_on"]],
        open_from=row["w_open_from"],
    )


def sku_from_row(row: Any) -> Sku:
    return Sku(
        key=str(row["s_id"]),
        code=row["s_code"],
        title=row["s_title"],
        barcode=row["s_barcode"],
        amount=row["s_unit_cost"],
        currency=row["s_currency"],
        weight_grams=row["s_weight_grams"],
        volume_ml=row["s_volume_ml"],
        status=row["s_status"],
        frozen=row["s_frozen"],
        tags=row["s_tags"],
    )


def level_from_row(row: Any) -> StockLevel:
    return make_level(row, sku_from_row(row), warehouse_from_row(row))


def levels_from_rows(rows: Sequence[Any]) -> list[StockLevel]:
    """A page of levels; a warehouse that comes again is made once."""
    houses: dict[int, Warehouse] = {}
    levels = []
    for row in rows:
        house = houses.get(row["warehouse_id"])
        if house is None:
            house = houses[row["warehouse_id"]] = warehouse_from_row(row)
        levels.append(make_level(row, sku_from_row(row), house))
    return levels


def make_level(state: Any, sku: Sku, warehouse: Warehouse) -> StockLevel:
    """A level from anything with the ledger's column names."""
    return StockLevel(
        key=f"{sku.key}.{warehouse.key}",
        sku=sku,
        warehouse=warehouse,
        available=state["available"],
        reserved=state["reserved"],
        committed=state["committed"],
        damaged=state["damaged"],
        quality_control=state["quality_control"],
        in_transit=state["in_transit"],
        incoming=state["incoming"],
        safety_stock=state["safety_stock"],
        version=state["version"],
        updated_at=state["updated_at"],
    )


def movement_from_row(row: Any) -> StockMovement:
    return StockMovement(
        key=str(row["id"]),
        posted_at=row["posted_at"],
        effective_at=row["effective_at"],
        sku=sku_from_row(row),
        warehouse=warehouse_from_row(row),
        from_bucket=row["from_bucket"],
        to_bucket=row["to_bucket"],
        quantity=row["quantity"],
        from_balance_after=row["from_balance_after"],
        to_balance_after=row["to_balance_after"],
        reason=row["reason"],
        note=row["note"],
        reference=row["reference"],
        document=row["document"],
        actor=row["actor"],
        request_id=row["request_id"],
        idempotency_key=row["idempotency_key"],
        amount=row["unit_cost"],
        currency=row["currency"],
    )


def reservation_from_answer(answer: Any) -> Reservation:
    return Reservation(
        key=str(answer["id"]),
        status=answer["status"],
        reference=answer["reference"],
        expires_at=answer["expires_at"],
        created_at=answer["created_at"],
        placed=answer["lines"],
    )
