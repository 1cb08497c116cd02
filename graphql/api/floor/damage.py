"""`damages`, `damageReport` and `damageDispose`."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.floor.approvals import Adjustment, show_adjustment
from api.floor.operation import PUT_INTO, REF, FloorInput, FloorOperation, decode_ref, do, plain
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, check_names, make_page, page_size
from api.stock.show_stock import show_levels
from api.stock.types import Node, Sku, StockLevel, Warehouse, sku_from_row, warehouse_from_row
from app.damage.dispose_damage import Disposal, DisposalWanted, dispose_damage
from app.damage.read_damages import DamageFilter as Chosen
from app.damage.read_damages import count_damages, read_damages
from app.damage.report_damage import DamageLine, DamageOrigin, DamageWanted, report_damage
from app.floor.find_document import write_label
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from domain.identity import Role

strawberry.enum(
    DamageOrigin,
    name="DamageOrigin",
    description="Where it was found. TRANSIT: on the way with a transfer. RETURN: by inspecting a return.",
)
strawberry.enum(Disposal, name="DamageDisposal", description="REPAIR: it is for sale again.")
FLOOR = (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE)


@strawberry.type(description="Units that were found damaged, and what became of them.")
class Damage(Node):
    label: str = strawberry.field(description="As in DM-12.")
    warehouse: Warehouse
    sku: Sku
    origin: DamageOrigin
    cause: str
    evidence: str | None
    note: str | None
    reference: str | None
    document: str | None = strawberry.field(
        description="With which it came: a transfer, return or purchase order, or rejected work."
    )
    quantity: int
    repaired: int
    scrapped: int
    sent_back: int
    waiting: int = strawberry.field(description="For a second person to approve their disposal.")
    actor: str
    reported_at: datetime.datetime


@strawberry.type
class DamageConnection(Counted):
    edges: list[Edge[Damage]]
    nodes: list[Damage]
    page_info: PageInfo


@strawberry.input
class DamageFilter:
    warehouses: list[str] | None = None
    skus: list[str] | None = None
    origins: list[DamageOrigin] | None = None
    open: bool = strawberry.field(default=False, description="Only with units left to be disposed of.")


@strawberry.input
class DamageReportLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    bin: str | None = strawberry.field(
        default=None, description="From which they were taken, STOCK and PICKING; left out: off the floor first."
    )


@strawberry.input
class DamageReportInput(FloorInput):
    warehouse: str
    origin: DamageOrigin
    cause: str = strawberry.field(description="DROPPED, WATER, or one of your own.")
    lines: list[DamageReportLine]
    evidence: str | None = strawberry.field(default=None, description="Where a picture or a report of it is.")
    transfer: strawberry.ID | None = strawberry.field(default=None, description="For TRANSIT: with which it came.")


@strawberry.input
class DamageDisposeInput(FloorInput):
    id: strawberry.ID = strawberry.field(description=REF)
    disposal: Disposal
    quantity: int
    bin: str | None = strawberry.field(default=None, description=f"For REPAIR. {PUT_INTO}")


@strawberry.type
class DamageReportPayload:
    user_errors: list[UserError]
    damages: list[Damage] = strawberry.field(default_factory=list)
    levels: list[StockLevel] = strawberry.field(default_factory=list)


@strawberry.type
class DamageDisposePayload:
    user_errors: list[UserError]
    damage: Damage | None = None
    levels: list[StockLevel] = strawberry.field(default_factory=list)
    adjustment: Adjustment | None = strawberry.field(
        default=None, description="Nothing has moved: this waits for a second person."
    )


_PLAIN = (
    *("origin", "cause", "evidence", "note", "reference", "document", "quantity", "repaired", "scrapped", "sent_back"),
    *("waiting", "actor", "reported_at"),
)


def damage_from_row(row: Any) -> Damage:
    return Damage(
        key=str(row["id"]),
        label=write_label("damage", row["number"]),
        warehouse=warehouse_from_row(row["warehouse"]),
        sku=sku_from_row(row["sku"]),
        **{name: row[name] for name in _PLAIN},
    )


async def _show_report(context: Context, made: Answer) -> dict[str, Any]:
    return {
        "damages": [damage_from_row(row) for row in made["damages"]],
        "levels": await show_levels(context, made["levels"]),
    }


async def _show_disposal(context: Context, made: Answer) -> dict[str, Any]:
    return {
        "damage": damage_from_row(made["damage"]),
        "levels": await show_levels(context, made["levels"]),
        "adjustment": await show_adjustment(context, made),
    }


async def _report(state: State, act: FloorCall, command: DamageReportInput) -> Answer:
    lines = [DamageLine(line.sku, line.quantity, line.bin) for line in command.lines]
    transfer = None if command.transfer is None else decode_ref(command.transfer, "transfer", ("transfer",))
    wanted = DamageWanted(command.warehouse, command.origin, command.cause, lines, command.evidence, transfer)
    return await report_damage(state, act, wanted)


async def _dispose(state: State, act: FloorCall, command: DamageDisposeInput) -> Answer:
    wanted = DisposalWanted(command.disposal, command.quantity, command.bin)
    return await dispose_damage(state, act, decode_ref(command.id, "damage"), wanted)


REPORT = FloorOperation(
    *("damageReport", "damage:report", FLOOR, "stock:write", "DAMAGE"), _report, _show_report, plain
)
DISPOSE = FloorOperation(
    *("damageDispose", "damage:dispose", FLOOR, "stock:write", "DISPOSAL"), _dispose, _show_disposal, plain
)
OPERATIONS = (REPORT, DISPOSE)


@strawberry.type
class DamageMutation:
    @strawberry.mutation(directives=REPORT.directives, description="The units leave what is for sale at once.")
    async def damage_report(self, info: Info, input: DamageReportInput) -> DamageReportPayload:
        return await answer(DamageReportPayload, do(info.context, REPORT, input))

    @strawberry.mutation(
        directives=DISPOSE.directives,
        description="Above what you may do alone nothing moves, and `adjustment` waits for a second person.",
    )
    async def damage_dispose(self, info: Info, input: DamageDisposeInput) -> DamageDisposePayload:
        return await answer(DamageDisposePayload, do(info.context, DISPOSE, input))


@strawberry.type
class DamageQuery:
    @strawberry.field(directives=requires(EVERYONE, "stock:read"), description="Newest first.")
    async def damages(
        self, info: Info, filter: DamageFilter | None = None, first: int = 50, after: str | None = None
    ) -> DamageConnection:
        size, before = page_size(first), after_uuid(after, "DamageCursor")
        f = filter or DamageFilter()
        check_names(f.warehouses, "warehouses")
        check_names(f.skus, "skus")
        chosen = Chosen(f.warehouses, f.skus, f.origins, f.open)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_damages(database, principal, chosen, before, size + 1)
        page = make_page([damage_from_row(row) for row in rows], size, "DamageCursor", after)
        return DamageConnection(count=partial(count_damages, database, principal, chosen), **page)
