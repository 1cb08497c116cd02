"""`partnerSnapshotReport`: what a warehouse that is not ours says it holds."""

from __future__ import annotations

import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, make_page, page_size
from api.stock.types import Node
from app.calls import make_call
from app.partners.read_snapshots import count_snapshots, read_snapshots
from app.partners.reconcile_snapshot import SnapshotReport, reconcile_snapshot
from domain.identity import Role

READERS = [Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE, Role.FINANCE, Role.SUPPORT, Role.PARTNER, Role.VIEWER]
READ = requires(READERS, "stock:read")
REPORT = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE, Role.PARTNER], "stock:write")


@strawberry.enum(
    description="ADJUSTED: within tolerance, the books follow it. CASE: people must look. NOTED: the warehouse is not "
    "LIVE, so it was only compared."
)
class SnapshotOutcome(StrEnum):
    ADJUSTED = "ADJUSTED"
    CASE = "CASE"
    NOTED = "NOTED"


@strawberry.input
class PartnerSnapshotLine:
    sku: str = strawberry.field(description="Code or barcode.")
    on_hand: int = strawberry.field(description="Units on the floor, promised and damaged ones included.")


@strawberry.input
class PartnerSnapshotReportInput:
    warehouse: str
    as_of: datetime.datetime = strawberry.field(
        description="When the numbers were true. What happened later may be in them or not; nothing earlier is missing."
    )
    lines: list[PartnerSnapshotLine]
    complete: bool = strawberry.field(default=False, description="What is not in it, there is none of.")
    reference: str | None = None
    idempotency_key: str | None = None


@strawberry.type(description="A SKU that the snapshot and the books disagree about.")
class SnapshotDifference:
    sku: str
    told: int
    least: int = strawberry.field(description="The least that proves nothing wrong, with parcels not reported yet.")
    most: int = strawberry.field(description="The most, with goods that may have arrived and were not posted.")
    difference: int = strawberry.field(description="How far outside of that.")
    outcome: SnapshotOutcome


@strawberry.type(description="What a warehouse said it holds, and how that was judged.")
class PartnerSnapshot(Node):
    warehouse: str
    as_of: datetime.datetime
    applied: bool = strawberry.field(description="False: the warehouse is not LIVE, nothing was changed.")
    levels: int
    equal: int
    differences: list[SnapshotDifference]


@strawberry.type
class PartnerSnapshotConnection(Counted):
    edges: list[Edge[PartnerSnapshot]]
    nodes: list[PartnerSnapshot]
    page_info: PageInfo


@strawberry.type
class PartnerSnapshotReportPayload:
    user_errors: list[UserError]
    snapshot: PartnerSnapshot | None = None


async def _report(context: Context, command: PartnerSnapshotReportInput) -> dict[str, Any]:
    lines = [(line.sku, line.on_hand) for line in command.lines]
    report = SnapshotReport(command.warehouse, command.as_of, lines, "API", command.complete, command.reference)
    key = command.idempotency_key
    call = make_call(context.principal, "partner:snapshot", key, report)
    now, provenance = datetime.datetime.now(datetime.UTC), context.provenance(key)
    made = (await reconcile_snapshot(context.state, context.principal, report, provenance, now, call))["snapshot"]
    at = datetime.datetime.fromisoformat(made["as_of"])
    return {"snapshot": snapshot_from_row({**made, "as_of": at})}


def snapshot_from_row(row: Any) -> PartnerSnapshot:
    lines = [{name: line[name] for name in DIFFERENCE} for line in row["lines"]]
    return PartnerSnapshot(
        key=str(row["id"]),
        differences=[SnapshotDifference(**{**line, "outcome": SnapshotOutcome(line["outcome"])}) for line in lines],
        **{name: row[name] for name in ("warehouse", "as_of", "applied", "levels", "equal")},
    )


DIFFERENCE = ("sku", "told", "least", "most", "difference", "outcome")


@strawberry.type
class SnapshotQuery:
    @strawberry.field(directives=READ, description="What warehouses said they hold, newest first.")
    async def partner_snapshots(
        self, info: Info, warehouse: str | None = None, first: int = 50, after: str | None = None
    ) -> PartnerSnapshotConnection:
        size, before = page_size(first), after_uuid(after, "PartnerSnapshotCursor")
        database, principal = info.context.state.database, info.context.principal
        rows = await read_snapshots(database, principal, warehouse, before, size + 1)
        page = make_page([snapshot_from_row(row) for row in rows], size, "PartnerSnapshotCursor", after)
        return PartnerSnapshotConnection(count=partial(count_snapshots, database, principal, warehouse), **page)


@strawberry.type
class SnapshotMutation:
    @strawberry.mutation(
        directives=REPORT,
        description="What a warehouse holds, by its own books. Differences within its tolerance are adjusted, the rest "
        "become cases; work on its way is taken into account. At most 1,000 lines.",
    )
    async def partner_snapshot_report(
        self, info: Info, input: PartnerSnapshotReportInput
    ) -> PartnerSnapshotReportPayload:
        return await answer(PartnerSnapshotReportPayload, _report(info.context, input))
