"""`counts`, `count` and `inventoryAccuracy`."""

from __future__ import annotations

import datetime
from functools import partial

import strawberry

from api.context import Info
from api.counts.types import (
    AccuracyPeriod,
    Count,
    CountConnection,
    InventoryAccuracy,
    accuracy_from_row,
    count_from_row,
)
from api.directives import STAFF, Cost, requires
from api.ids import decode_uuid
from api.scalars import after_uuid, check_names, make_page, page_size
from app.counts.read_accuracy import AccuracyFilter, read_accuracy
from app.counts.read_counts import CountFilter, count_counts, read_count, read_counts
from domain.counts import CountCause, CountStatus

READ = requires(STAFF, "stock:read")


@strawberry.input(name="CountFilter")
class CountChoice:
    warehouses: list[str] | None = None
    statuses: list[CountStatus] | None = None
    sku: str | None = strawberry.field(default=None, description="Code or barcode.")


@strawberry.input(name="InventoryAccuracyFilter")
class AccuracyChoice:
    warehouses: list[str] | None = None
    causes: list[CountCause] | None = strawberry.field(
        default=None, description="CYCLE and HANDLING are a fair sample; what was suspected is wrong more often."
    )
    from_: datetime.datetime | None = strawberry.field(name="from", default=None)
    to: datetime.datetime | None = None


@strawberry.type
class CountQuery:
    @strawberry.field(directives=READ)
    async def count(self, info: Info, id: strawberry.ID) -> Count | None:
        row = await read_count(info.context.state.database.hot, info.context.principal, decode_uuid(id, "Count"))
        return None if row is None else count_from_row(row)

    @strawberry.field(directives=[*READ, Cost(weight=20)], description="Newest first.")
    async def counts(
        self, info: Info, filter: CountChoice | None = None, first: int = 20, after: str | None = None
    ) -> CountConnection:
        size, before = page_size(first), after_uuid(after, "CountCursor")
        f = filter or CountChoice()
        check_names(f.warehouses, "warehouses")
        statuses = None if f.statuses is None else [status.value for status in f.statuses]
        chosen = CountFilter(f.warehouses, statuses, f.sku)
        database, principal = info.context.state.database.hot, info.context.principal
        rows = await read_counts(database, principal, chosen, before, size + 1)
        page = make_page([count_from_row(row) for row in rows], size, "CountCursor", after)
        return CountConnection(count=partial(count_counts, database, principal, chosen), **page)

    @strawberry.field(
        directives=[*READ, Cost(weight=100)],
        description="By warehouse, and by period if one is given, the newest first: at most 1,000.",
    )
    async def inventory_accuracy(
        self, info: Info, filter: AccuracyChoice | None = None, period: AccuracyPeriod | None = None
    ) -> list[InventoryAccuracy]:
        f = filter or AccuracyChoice()
        check_names(f.warehouses, "warehouses")
        causes = None if f.causes is None else [cause.value for cause in f.causes]
        chosen = AccuracyFilter(f.warehouses, causes, f.from_, f.to)
        wanted = None if period is None else period.value.lower()
        rows = await read_accuracy(info.context.state.database.hot, info.context.principal, chosen, wanted)
        return [accuracy_from_row(row) for row in rows]
