"""`countCreate`, `countSubmit`, `countReview`, `countCancel`, `countSuspect` and `countCheck`."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.counts.types import Count, count_from_row
from api.directives import requires
from api.ids import decode_uuid
from api.scalars import UserError
from api.stock.types import StockBucket
from app.calls import make_call
from app.counts.cancel_count import cancel_count
from app.counts.check_shelf import CheckResult, check_shelf
from app.counts.create_count import CountCreate, create_count
from app.counts.report_doubt import DoubtLine, Doubts, report_doubt
from app.counts.review_count import LineRef, review_count
from app.counts.submit_count import CountScan, submit_count
from domain.counts import CountCause
from domain.identity import Role

WRITE = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE], "stock:write")


@strawberry.input
class CountCreateInput:
    warehouse: str
    skus: list[str] | None = strawberry.field(default=None, description="Codes or barcodes: these, or bins.")
    bins: list[str] | None = strawberry.field(default=None, description="All that these bins hold.")
    bucket: StockBucket = StockBucket.AVAILABLE
    blind: bool = strawberry.field(default=True, description="Do not show what is expected until all is scanned.")
    tolerance_units: int = strawberry.field(default=0, description="A larger difference is scanned again.")
    tolerance_percent: int = strawberry.field(default=0, description="Of what is expected; the larger of both holds.")
    note: str | None = None
    reference: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class CountSubmitLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int = strawberry.field(description="Units found, 0 for none.")
    bin: str | None = strawberry.field(default=None, description="In a count by bin.")
    bucket: StockBucket = StockBucket.AVAILABLE
    occurred_at: datetime.datetime | None = strawberry.field(
        default=None, description="When it was scanned, if not just now: it is held against the books of then."
    )


@strawberry.input
class CountSubmitInput:
    id: strawberry.ID
    lines: list[CountSubmitLine]
    occurred_at: datetime.datetime | None = strawberry.field(default=None, description="Of lines without their own.")
    idempotency_key: str | None = None


@strawberry.input
class CountLineRef:
    sku: str = strawberry.field(description="Code.")
    bin: str | None = None
    bucket: StockBucket = StockBucket.AVAILABLE


@strawberry.input
class CountReviewInput:
    id: strawberry.ID
    reject: list[CountLineRef] | None = strawberry.field(
        default=None, description="Lines that are not believed; all others are posted."
    )
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class CountCancelInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input
class CountSuspectLine:
    sku: str = strawberry.field(description="Code or barcode.")
    cause: CountCause = strawberry.field(description="SURPLUS: more than there should be; SHORT_PICK: less.")


@strawberry.input
class CountSuspectInput:
    warehouse: str
    lines: list[CountSuspectLine]
    note: str | None = None
    occurred_at: datetime.datetime | None = strawberry.field(
        default=None, description="When it was seen, if not just now."
    )
    idempotency_key: str | None = None

    def doubts(self) -> Doubts:
        lines = [DoubtLine(line.sku, line.cause) for line in self.lines]
        return Doubts(self.warehouse, lines, self.note, self.occurred_at)


@strawberry.type
class CountSuspectPayload:
    user_errors: list[UserError]
    lines: int = strawberry.field(default=0, description="How many were noted.")


strawberry.enum(
    CheckResult,
    name="CountCheckResult",
    description="MATCHES: as the books have it. DIFFERS: a count began: count once more, then somebody else does. "
    "COUNTING: it is in a count already, and this is a scan of it; of who scanned it before only if nothing is wrong.",
)


@strawberry.input
class CountCheckLine:
    sku: str = strawberry.field(description="Code or barcode.")
    left: int = strawberry.field(description="Units that stand there, 0 for none.")
    bin: str | None = strawberry.field(default=None, description="Of this bin alone; without it, of the warehouse.")
    occurred_at: datetime.datetime | None = strawberry.field(
        default=None, description="When it was seen, if not just now: it is held against the books of then."
    )


@strawberry.input
class CountCheckInput:
    warehouse: str
    lines: list[CountCheckLine]
    note: str | None = None
    occurred_at: datetime.datetime | None = strawberry.field(default=None, description="Of lines without their own.")
    idempotency_key: str | None = None

    def scans(self) -> list[CountScan]:
        return [
            CountScan(line.sku, line.left, line.bin, occurred_at=line.occurred_at or self.occurred_at)
            for line in self.lines
        ]


@strawberry.type
class CountCheckPayload:
    user_errors: list[UserError]
    results: list[CheckResult] = strawberry.field(default_factory=list, description="One for each line, in order.")


@strawberry.type
class CountPayload:
    user_errors: list[UserError]
    count: Count | None = None


@strawberry.type
class CountCreatePayload(CountPayload): ...


@strawberry.type
class CountSubmitPayload(CountPayload): ...


@strawberry.type
class CountReviewPayload(CountPayload): ...


@strawberry.type
class CountCancelPayload(CountPayload): ...


async def _shown(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return {"count": count_from_row((await work)["count"])}


@strawberry.type
class CountMutation:
    @strawberry.mutation(directives=WRITE)
    async def count_create(self, info: Info, input: CountCreateInput) -> CountCreatePayload:
        async def create() -> dict[str, Any]:
            command = CountCreate(
                *(input.warehouse, input.skus, input.bins, input.bucket.value, input.blind),
                *(input.tolerance_units, input.tolerance_percent, input.note, input.reference),
            )
            context, key = info.context, input.idempotency_key
            call = make_call(context.principal, "count:create", key, command)
            work = create_count(context.state, context.principal, command, context.principal.name, call)
            return await _shown(work)

        return await answer(CountCreatePayload, create())

    @strawberry.mutation(
        directives=WRITE, description="What was found. Each scan is held against the books of its own moment."
    )
    async def count_submit(self, info: Info, input: CountSubmitInput) -> CountSubmitPayload:
        async def submit() -> dict[str, Any]:
            count_id = decode_uuid(input.id, "Count")
            scans = [
                CountScan(line.sku, line.quantity, line.bin, line.bucket.value, line.occurred_at or input.occurred_at)
                for line in input.lines
            ]
            context, key = info.context, input.idempotency_key
            call = make_call(context.principal, "count:submit", key, [count_id, scans])
            work = submit_count(context.state, context.principal, count_id, scans, context.provenance(key), call)
            return await _shown(work)

        return await answer(CountSubmitPayload, submit())

    @strawberry.mutation(
        directives=WRITE,
        description="Post what differs, with the reason COUNT. Not by who scanned a line that differs.",
    )
    async def count_review(self, info: Info, input: CountReviewInput) -> CountReviewPayload:
        async def review() -> dict[str, Any]:
            count_id = decode_uuid(input.id, "Count")
            reject = [LineRef(ref.sku, ref.bin, ref.bucket.value) for ref in input.reject or ()]
            context, key = info.context, input.idempotency_key
            call = make_call(context.principal, "count:review", key, [count_id, reject, input.note])
            provenance = context.provenance(key)
            work = review_count(context.state, context.principal, count_id, reject, input.note, provenance, call)
            return await _shown(work)

        return await answer(CountReviewPayload, review())

    @strawberry.mutation(directives=WRITE, description="Nothing of it is posted.")
    async def count_cancel(self, info: Info, input: CountCancelInput) -> CountCancelPayload:
        async def cancel() -> dict[str, Any]:
            count_id = decode_uuid(input.id, "Count")
            context, key = info.context, input.idempotency_key
            call = make_call(context.principal, "count:cancel", key, [count_id])
            return await _shown(cancel_count(context.state, context.principal, count_id, call))

        return await answer(CountCancelPayload, cancel())

    @strawberry.mutation(
        directives=WRITE, description="A shelf does not hold what it should: it is counted with the next plan."
    )
    async def count_suspect(self, info: Info, input: CountSuspectInput) -> CountSuspectPayload:
        async def suspect() -> dict[str, Any]:
            context = info.context
            call = make_call(context.principal, "count:suspect", input.idempotency_key, hash_doubts(input))
            return await report_doubt(context.state, context.principal, input.doubts(), call)

        return await answer(CountSuspectPayload, suspect())

    @strawberry.mutation(
        directives=WRITE,
        description="Low-stock check: what is left where somebody picked. What differs is counted by another person.",
    )
    async def count_check(self, info: Info, input: CountCheckInput) -> CountCheckPayload:
        async def check() -> dict[str, Any]:
            context, house, key = info.context, input.warehouse, input.idempotency_key
            call = make_call(context.principal, "count:check", key, hash_check(input))
            provenance = context.provenance(key)
            work = check_shelf(context.state, context.principal, house, input.scans(), input.note, provenance, call)
            return show_check(await work)

        return await answer(CountCheckPayload, check())


def hash_doubts(command: CountSuspectInput) -> object:
    """What of it belongs to the key: the time only where it is given, as for keys from before it could be."""
    said = command.doubts()
    return [*said[:3], *([] if said.occurred_at is None else [said.occurred_at])]


def hash_check(command: CountCheckInput) -> object:
    """What of it belongs to the key."""
    return [command.warehouse, command.scans(), command.note]


def show_check(made: dict[str, Any]) -> dict[str, Any]:
    return {"results": [CheckResult(result) for result in made["results"]]}
