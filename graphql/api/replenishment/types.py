"""Types of the replenishment area."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from api.directives import requires_costs
from api.scalars import Counted, Edge, Money, PageInfo, to_money
from api.stock.types import Node
from app.replenishment.raise_alerts import AlertKind
from domain.replenishment import PolicyKind, PurchaseStatus, RequestSource, RequestStatus

strawberry.enum(PolicyKind, name="ReplenishmentPolicyKind", description="COMPUTED: from a forecast of what is sold.")
strawberry.enum(
    RequestStatus,
    name="ReplenishmentRequestStatus",
    description="What was ordered has ended: DONE when any of it came, CANCELLED when nothing did.",
)
strawberry.enum(RequestSource, name="ReplenishmentSource")
strawberry.enum(PurchaseStatus, name="PurchaseOrderStatus", description="CLOSED: what has not come is not expected.")
strawberry.enum(AlertKind, name="WarehouseAlertKind")


@strawberry.type(description="A number that a formula takes, under its name there.")
class PlanInput:
    name: str
    value: str


@strawberry.type(description="What a policy says today. Units.")
class ReplenishmentPlan:
    reorder_point: int = strawberry.field(description="With so many or fewer there or on their way, order.")
    order_up_to: int
    safety_stock: int
    formula: str
    inputs: list[PlanInput]


@strawberry.type(description="When a SKU is ordered again in a warehouse.")
class ReplenishmentPolicy(Node):
    sku: str
    warehouse: str
    kind: PolicyKind
    minimum: int | None
    maximum: int | None
    reorder_point: int | None
    order_quantity: int | None
    service_level: float | None
    cover_days: int | None
    supplier: str | None
    position: int = strawberry.field(description="Units available, in transit and expected.")
    plan: ReplenishmentPlan | None
    evaluated_at: datetime.datetime | None
    updated_by: str
    updated_at: datetime.datetime
    version: int


@strawberry.type(description="Something to be ordered, from another warehouse or a supplier.")
class ReplenishmentRequest(Node):
    sku: str
    warehouse: str
    status: RequestStatus
    source: RequestSource
    source_warehouse: str | None
    supplier: str | None
    quantity: int
    plan: ReplenishmentPlan | None = strawberry.field(description="Null when a person asked for it.")
    note: str | None
    document: str | None = strawberry.field(description="What came of it, as in purchase:….")
    created_by: str
    created_at: datetime.datetime
    decided_by: str | None
    decided_at: datetime.datetime | None


@strawberry.type
class SupplierSku:
    sku: str
    pack_size: int
    minimum: int
    unit_cost: Money | None = strawberry.field(directives=requires_costs())


@strawberry.type
class Supplier(Node):
    code: str
    name: str
    lead_days: int
    created_at: datetime.datetime
    lines: list[SupplierSku]


@strawberry.type
class PurchaseOrderLine:
    sku: str
    title: str
    quantity: int
    received: int = strawberry.field(description="More than quantity: it came and was kept.")
    unit_cost: Money | None = strawberry.field(directives=requires_costs())


@strawberry.type
class PurchaseOrder(Node):
    supplier: str
    warehouse: str
    status: PurchaseStatus
    expected_at: datetime.datetime
    reference: str | None
    note: str | None
    created_by: str
    created_at: datetime.datetime
    ended_at: datetime.datetime | None
    version: int
    lines: list[PurchaseOrderLine]


@strawberry.type(description="Something that a warehouse should know. Ended: it is so no more.")
class WarehouseAlert(Node):
    kind: AlertKind
    warehouse: str
    sku: str | None
    subject: str
    message: str
    raised_at: datetime.datetime
    ended_at: datetime.datetime | None


@strawberry.type
class ReplenishmentPolicyConnection(Counted):
    edges: list[Edge[ReplenishmentPolicy]]
    nodes: list[ReplenishmentPolicy]
    page_info: PageInfo


@strawberry.type
class ReplenishmentRequestConnection(Counted):
    edges: list[Edge[ReplenishmentRequest]]
    nodes: list[ReplenishmentRequest]
    page_info: PageInfo


@strawberry.type
class SupplierConnection(Counted):
    edges: list[Edge[Supplier]]
    nodes: list[Supplier]
    page_info: PageInfo


@strawberry.type
class PurchaseOrderConnection(Counted):
    edges: list[Edge[PurchaseOrder]]
    nodes: list[PurchaseOrder]
    page_info: PageInfo


def _without(row: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in dict(row).items() if name not in names}


def _plan(plan: Any) -> ReplenishmentPlan | None:
    if plan is None:
        return None
    inputs = [PlanInput(name=name, value=str(value)) for name, value in plan["inputs"].items()]
    return ReplenishmentPlan(**_without(plan, "inputs"), inputs=inputs)


def policy_from_row(row: Any) -> ReplenishmentPolicy:
    kept = _without(row, "sku_id", "warehouse_id", "plan")
    return ReplenishmentPolicy(key=f"{row['sku_id']}.{row['warehouse_id']}", plan=_plan(row["plan"]), **kept)


def request_from_row(row: Any) -> ReplenishmentRequest:
    kept = _without(row, "id", "warehouse_id", "source_warehouse_id", "plan")
    return ReplenishmentRequest(key=row["id"], plan=_plan(row["plan"]), **kept)


def supplier_from_row(row: Any) -> Supplier:
    lines = [
        SupplierSku(**_without(line, "unit_cost", "currency"), unit_cost=to_money(line["unit_cost"], line["currency"]))
        for line in row["lines"]
    ]
    return Supplier(key=row["id"], **_without(row, "id", "lines"), lines=lines)


def purchase_from_row(row: Any) -> PurchaseOrder:
    lines = [
        PurchaseOrderLine(
            **_without(line, "unit_cost", "currency"), unit_cost=to_money(line["unit_cost"], line["currency"])
        )
        for line in row["lines"]
    ]
    return PurchaseOrder(key=row["id"], **_without(row, "id", "warehouse_id", "lines"), lines=lines)


def alert_from_row(row: Any) -> WarehouseAlert:
    return WarehouseAlert(key=str(row["id"]), **_without(row, "id", "warehouse_id", "sku_id"))
