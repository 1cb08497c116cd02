"""`replenishmentPolicies`, `replenishmentRequests`, `suppliers` and `purchaseOrders`."""

from __future__ import annotations

from functools import partial

import strawberry

from api.context import Info
from api.directives import STAFF, requires
from api.replenishment.types import (
    PurchaseOrderConnection,
    ReplenishmentPolicyConnection,
    ReplenishmentRequestConnection,
    SupplierConnection,
    policy_from_row,
    purchase_from_row,
    request_from_row,
    supplier_from_row,
)
from api.scalars import after_numbers, after_uuid, check_names, make_page, page_size
from app.replenishment.read_purchases import (
    PurchaseFilter,
    count_purchases,
    count_suppliers,
    read_purchases,
    read_suppliers,
)
from app.replenishment.read_requests import (
    RequestFilter,
    count_policies,
    count_requests,
    read_policies,
    read_requests,
)
from domain.replenishment import PurchaseStatus, RequestStatus

READ = requires(STAFF, "stock:read")


@strawberry.input
class ReplenishmentPolicyFilter:
    warehouses: list[str] | None = None
    sku: str | None = strawberry.field(default=None, description="Code or barcode.")


@strawberry.input
class ReplenishmentRequestFilter:
    warehouses: list[str] | None = None
    statuses: list[RequestStatus] | None = None
    sku: str | None = strawberry.field(default=None, description="Code or barcode.")


@strawberry.input
class PurchaseOrderFilter:
    warehouses: list[str] | None = None
    statuses: list[PurchaseStatus] | None = None
    supplier: str | None = strawberry.field(default=None, description="Code.")


@strawberry.type
class ReplenishmentQuery:
    @strawberry.field(directives=READ, description="With what each says today, its formula and what went into it.")
    async def replenishment_policies(
        self, info: Info, filter: ReplenishmentPolicyFilter | None = None, first: int = 50, after: str | None = None
    ) -> ReplenishmentPolicyConnection:
        size, start = page_size(first), after_numbers(after, "ReplenishmentPolicyCursor", 2)
        f = filter or ReplenishmentPolicyFilter()
        check_names(f.warehouses, "warehouses")
        chosen = RequestFilter(f.warehouses, None, f.sku)
        database, principal = info.context.state.database.hot, info.context.principal
        rows = await read_policies(database, principal, chosen, (start[0], start[1]), size + 1)
        page = make_page([policy_from_row(row) for row in rows], size, "ReplenishmentPolicyCursor", after)
        return ReplenishmentPolicyConnection(count=partial(count_policies, database, principal, chosen), **page)

    @strawberry.field(directives=READ, description="Newest first.")
    async def replenishment_requests(
        self, info: Info, filter: ReplenishmentRequestFilter | None = None, first: int = 50, after: str | None = None
    ) -> ReplenishmentRequestConnection:
        size, before = page_size(first), after_uuid(after, "ReplenishmentRequestCursor")
        f = filter or ReplenishmentRequestFilter()
        check_names(f.warehouses, "warehouses")
        statuses = None if f.statuses is None else [status.value for status in f.statuses]
        chosen = RequestFilter(f.warehouses, statuses, f.sku)
        database, principal = info.context.state.database.hot, info.context.principal
        rows = await read_requests(database, principal, chosen, before, size + 1)
        page = make_page([request_from_row(row) for row in rows], size, "ReplenishmentRequestCursor", after)
        return ReplenishmentRequestConnection(count=partial(count_requests, database, principal, chosen), **page)

    @strawberry.field(directives=READ)
    async def suppliers(self, info: Info, first: int = 50, after: str | None = None) -> SupplierConnection:
        size, (start,) = page_size(first), after_numbers(after, "SupplierCursor")
        database = info.context.state.database.hot
        rows = await read_suppliers(database, start, size + 1)
        page = make_page([supplier_from_row(row) for row in rows], size, "SupplierCursor", after)
        return SupplierConnection(count=partial(count_suppliers, database), **page)

    @strawberry.field(directives=READ, description="Newest first.")
    async def purchase_orders(
        self, info: Info, filter: PurchaseOrderFilter | None = None, first: int = 50, after: str | None = None
    ) -> PurchaseOrderConnection:
        size, before = page_size(first), after_uuid(after, "PurchaseOrderCursor")
        f = filter or PurchaseOrderFilter()
        check_names(f.warehouses, "warehouses")
        statuses = None if f.statuses is None else [status.value for status in f.statuses]
        chosen = PurchaseFilter(f.warehouses, statuses, f.supplier)
        database, principal = info.context.state.database.hot, info.context.principal
        rows = await read_purchases(database, principal, chosen, before, size + 1)
        page = make_page([purchase_from_row(row) for row in rows], size, "PurchaseOrderCursor", after)
        return PurchaseOrderConnection(count=partial(count_purchases, database, principal, chosen), **page)
