"""`adjustments`, `adjustmentApprove` and `adjustmentReject`; the limits above which they are needed."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import STAFF, requires, requires_costs
from api.floor.operation import REF, FloorInput, FloorOperation, decode_ref, do, plain
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, check_names, make_page, page_size
from api.stock.show_stock import show_stock
from api.stock.types import (
    Node,
    Sku,
    StockBucket,
    StockLevel,
    StockMovement,
    Warehouse,
    sku_from_row,
    warehouse_from_row,
)
from app.approvals.decide_adjustment import approve_adjustment, reject_adjustment
from app.approvals.read_adjustments import AdjustmentFilter as Chosen
from app.approvals.read_adjustments import count_adjustments, read_adjustment, read_adjustments
from app.approvals.set_policy import read_policies, set_policy
from app.calls import make_call
from app.floor.find_document import write_label
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from domain.approvals import EVERYBODY, ApprovalKind
from domain.identity import Role

strawberry.enum(
    ApprovalKind,
    name="ApprovalKind",
    description="ADJUSTMENT: stock adjusted or set, or lost by a transfer. DISPOSAL: damaged stock. TRANSFER: between "
    "warehouses; an adjustment of this kind writes off what one lost.",
)


@strawberry.enum
class AdjustmentState(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


@strawberry.type(description="Units of a SKU from one account to another.")
class AdjustmentMove:
    sku: Sku
    from_bucket: StockBucket
    to_bucket: StockBucket
    quantity: int


@strawberry.type(description="A change of stock that waits, or waited, for a second person.")
class Adjustment(Node):
    label: str = strawberry.field(description="As in AD-12.")
    kind: ApprovalKind
    state: AdjustmentState
    warehouse: Warehouse
    moves: list[AdjustmentMove]
    units: int
    value: Decimal | None = strawberry.field(
        directives=requires_costs(), description="At unit cost, not converted; null when a SKU has none."
    )
    reason: str
    note: str | None
    reference: str | None
    requested_by: str
    requested_at: datetime.datetime
    effective_at: datetime.datetime | None
    decided_by: str | None
    decided_at: datetime.datetime | None
    decision_note: str | None


@strawberry.type
class AdjustmentConnection(Counted):
    edges: list[Edge[Adjustment]]
    nodes: list[Adjustment]
    page_info: PageInfo


@strawberry.type(description="The most that somebody with a role may move alone in one command.")
class ApprovalPolicy:
    kind: ApprovalKind
    role: Role | None = strawberry.field(description="Null: everybody without a limit of their own.")
    units_max: int | None
    value_max: Decimal | None


@strawberry.input
class AdjustmentFilter:
    states: list[AdjustmentState] | None = None
    kinds: list[ApprovalKind] | None = None
    warehouses: list[str] | None = None


@strawberry.input
class AdjustmentApproveInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class AdjustmentRejectInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)


@strawberry.input
class ApprovalPolicySetInput:
    kind: ApprovalKind
    role: Role | None = strawberry.field(default=None, description="Left out: everybody without a limit of their own.")
    units_max: int | None = strawberry.field(default=None, description="Units in one command.")
    value_max: Decimal | None = strawberry.field(
        default=None, description="At unit cost, currencies not converted. Leave out both and the limit is gone."
    )
    idempotency_key: str | None = None


@strawberry.type
class AdjustmentApprovePayload:
    user_errors: list[UserError]
    adjustment: Adjustment | None = None
    levels: list[StockLevel] = strawberry.field(default_factory=list)
    movements: list[StockMovement] = strawberry.field(default_factory=list)


@strawberry.type
class AdjustmentRejectPayload:
    user_errors: list[UserError]
    adjustment: Adjustment | None = None


@strawberry.type
class ApprovalPolicySetPayload:
    user_errors: list[UserError]
    policies: list[ApprovalPolicy] = strawberry.field(default_factory=list)


_PLAIN = (
    *("kind", "state", "units", "reason", "note", "reference", "requested_at", "effective_at", "decided_at"),
    "decision_note",
)


def adjustment_from_row(row: Any) -> Adjustment:
    moves = [
        AdjustmentMove(
            sku=sku_from_row(move["sku"]),
            from_bucket=move["source"],
            to_bucket=move["target"],
            quantity=move["quantity"],
        )
        for move in row["moves"]
    ]
    return Adjustment(
        key=str(row["id"]),
        label=write_label("adjustment", row["number"]),
        warehouse=warehouse_from_row(row["warehouse"]),
        moves=moves,
        value=row["value"],
        requested_by=row["requested_name"],
        decided_by=row["decided_name"],
        **{name: row[name] for name in _PLAIN},
    )


async def show_adjustment(context: Context, made: Answer) -> Adjustment | None:
    """What of an answer waits for a second person; None when nothing does."""
    asked = made.get("adjustment")
    if asked is None:
        return None
    row = await read_adjustment(context.state.database, context.principal, UUID(asked["id"]))
    return None if row is None else adjustment_from_row(row)


def _policy_from_row(row: Any) -> ApprovalPolicy:
    value = row["value_max"]
    return ApprovalPolicy(
        kind=row["kind"],
        role=None if row["role"] == EVERYBODY else Role(row["role"]),
        units_max=row["units_max"],
        value_max=None if value is None else Decimal(value),
    )


async def _show_approved(context: Context, made: Answer) -> dict[str, Any]:
    shown = await show_stock(context, {"levels": made["levels"], "movements": made["movements"]})
    shown["adjustment"] = adjustment_from_row(made["adjustment"])
    return shown


async def _show_rejected(_: Context, made: Answer) -> dict[str, Any]:
    return {"adjustment": adjustment_from_row(made["adjustment"])}


async def _approve(state: State, act: FloorCall, command: AdjustmentApproveInput) -> Answer:
    return await approve_adjustment(state, act, decode_ref(command.id, "adjustment"))


async def _reject(state: State, act: FloorCall, command: AdjustmentRejectInput) -> Answer:
    return await reject_adjustment(state, act, decode_ref(command.id, "adjustment"))


DESK = (Role.ADMIN, Role.OPERATIONS)
APPROVE = FloorOperation(
    *("adjustmentApprove", "adjustment:approve", DESK, "stock:write", "APPROVED"), _approve, _show_approved, plain
)
REJECT = FloorOperation(
    *("adjustmentReject", "adjustment:reject", DESK, "stock:write", "REJECTED"), _reject, _show_rejected, plain
)
OPERATIONS = (APPROVE, REJECT)


async def _set(context: Context, command: ApprovalPolicySetInput) -> dict[str, Any]:
    call = make_call(context.principal, "approval:policy", command.idempotency_key, plain(command))
    role = None if command.role is None else command.role.value
    given = (command.kind, role, command.units_max, command.value_max)
    made = await set_policy(context.state, *given, call)
    return {"policies": [_policy_from_row(row) for row in made["policies"]]}


@strawberry.type
class ApprovalMutation:
    @strawberry.mutation(
        directives=APPROVE.directives, description="The units move now, as they were asked for. Never by who asked."
    )
    async def adjustment_approve(self, info: Info, input: AdjustmentApproveInput) -> AdjustmentApprovePayload:
        return await answer(AdjustmentApprovePayload, do(info.context, APPROVE, input))

    @strawberry.mutation(directives=REJECT.directives, description="Nothing moves. Whoever asked takes it back so.")
    async def adjustment_reject(self, info: Info, input: AdjustmentRejectInput) -> AdjustmentRejectPayload:
        return await answer(AdjustmentRejectPayload, do(info.context, REJECT, input))

    @strawberry.mutation(
        directives=requires([Role.ADMIN], "stock:write"),
        description="Above a limit a second person must approve. None is set at first.",
    )
    async def approval_policy_set(self, info: Info, input: ApprovalPolicySetInput) -> ApprovalPolicySetPayload:
        return await answer(ApprovalPolicySetPayload, _set(info.context, input))


@strawberry.type
class ApprovalQuery:
    @strawberry.field(directives=requires(STAFF, "stock:read"), description="Newest first.")
    async def adjustments(
        self, info: Info, filter: AdjustmentFilter | None = None, first: int = 50, after: str | None = None
    ) -> AdjustmentConnection:
        size, before = page_size(first), after_uuid(after, "AdjustmentCursor")
        f = filter or AdjustmentFilter()
        check_names(f.warehouses, "warehouses")
        chosen = Chosen(f.states, f.kinds, f.warehouses)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_adjustments(database, principal, chosen, before, size + 1)
        page = make_page([adjustment_from_row(row) for row in rows], size, "AdjustmentCursor", after)
        return AdjustmentConnection(count=partial(count_adjustments, database, principal, chosen), **page)

    @strawberry.field(directives=requires(STAFF, "stock:read"), description="Who may move how much alone.")
    async def approval_policies(self, info: Info) -> list[ApprovalPolicy]:
        return [_policy_from_row(row) for row in await read_policies(info.context.state.database.hot)]
