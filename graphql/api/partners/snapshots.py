"""`partnerSnapshotReport`: what a warehouse that is not ours says it holds."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import encode_id
from api.scalars import UserError
from app.calls import make_call
from app.partners.reconcile_snapshot import SnapshotReport, reconcile_snapshot
from domain.identity import Role

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


@strawberry.type
class PartnerSnapshot:
    id: strawberry.ID
    warehouse: str
    as_of: datetime.datetime
    applied: bool = strawberry.field(description="False: the warehouse is not LIVE, nothing was changed.")
    levels: int
    equal: int
    differences: list[SnapshotDifference]


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
    differences = [
        SnapshotDifference(**{**line, "outcome": SnapshotOutcome(line["outcome"])})
        for line in ({name: line[name] for name in DIFFERENCE} for line in made["lines"])
    ]
    snapshot = PartnerSnapshot(
        id=strawberry.ID(encode_id("PartnerSnapshot", made["id"])),
        warehouse=made["warehouse"],
        as_of=datetime.datetime.fromisoformat(made["as_of"]),
        applied=made["applied"],
        levels=made["levels"],
        equal=made["equal"],
        differences=differences,
    )
    return {"snapshot": snapshot}


DIFFERENCE = ("sku", "told", "least", "most", "difference", "outcome")


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
