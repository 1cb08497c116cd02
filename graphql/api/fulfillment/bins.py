"""Where things lie: `zones`, `bins`, `zoneUpsert`, `binUpsert` and `binContentsSet`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.fulfillment.plan import HOLDERS
from api.scalars import Counted, Edge, PageInfo, UserError, after_numbers, check_names, make_page, page_size
from app.calls import make_call
from app.fulfillment.read_bins import count_bins, read_bins, read_zones
from app.fulfillment.save_bins import BinLine, ContentLine, ZoneLine, save_bins, save_zones, set_contents

READ = requires(EVERYONE, "stock:read")
SHOWN_MAX = 1_000


@strawberry.enum(description="What a zone is for. Orders are picked from bins of any zone, in the zones' order.")
class ZoneKind(StrEnum):
    PICK = "PICK"
    BULK = "BULK"
    RECEIVING = "RECEIVING"
    RETURNS = "RETURNS"
    QUARANTINE = "QUARANTINE"


@strawberry.enum(description="BLOCKED: nothing is picked from it.")
class BinStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@strawberry.type(description="A part of a warehouse.")
class Zone:
    warehouse: str
    code: str
    kind: ZoneKind
    sequence: int = strawberry.field(description="Its place in the walk.")
    bins: int = strawberry.field(description="How many it has.")


@strawberry.type(description="Units of a SKU in a bin.")
class BinContent:
    sku: str
    title: str | None
    quantity: int


@strawberry.type(description="A shelf, a drawer or a pallet place, with a label.")
class Bin:
    key: strawberry.Private[str]
    warehouse: str
    zone: str
    code: str
    sequence: int = strawberry.field(description="Its place in the walk through its zone.")
    capacity_ml: int | None
    status: BinStatus
    contents: list[BinContent]


@strawberry.type
class BinConnection(Counted):
    edges: list[Edge[Bin]]
    nodes: list[Bin]
    page_info: PageInfo


@strawberry.input
class ZoneUpsertLine:
    code: str
    kind: ZoneKind = ZoneKind.PICK
    sequence: int = 0


@strawberry.input
class ZoneUpsertInput:
    warehouse: str
    lines: list[ZoneUpsertLine]
    idempotency_key: str | None = None


@strawberry.input
class BinUpsertLine:
    code: str
    zone: str
    sequence: int = 0
    capacity_ml: int | None = None
    status: BinStatus = BinStatus.ACTIVE


@strawberry.input
class BinUpsertInput:
    warehouse: str
    lines: list[BinUpsertLine]
    idempotency_key: str | None = None


@strawberry.input
class BinContentsSetLine:
    bin: str
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int = strawberry.field(description="Units that lie there; 0: none.")


@strawberry.input
class BinContentsSetInput:
    warehouse: str
    lines: list[BinContentsSetLine]
    idempotency_key: str | None = None


@strawberry.type
class ZoneUpsertPayload:
    user_errors: list[UserError]
    zones: list[Zone] = strawberry.field(default_factory=list)


@strawberry.type
class BinPayload:
    user_errors: list[UserError]
    bins: list[Bin] = strawberry.field(default_factory=list)


@strawberry.type
class BinUpsertPayload(BinPayload): ...


@strawberry.type
class BinContentsSetPayload(BinPayload): ...


def _bin(row: Any) -> Bin:
    kept = {name: row[name] for name in ("warehouse", "zone", "code", "sequence", "capacity_ml", "status")}
    return Bin(key=str(row["id"]), contents=[BinContent(**one) for one in row["contents"]], **kept)


async def _find(context: Context, warehouse: str) -> int | None:
    house = (await context.state.lookup.warehouses()).get(warehouse)
    return None if house is None or not context.principal.sees_warehouse(house.id) else house.id


async def _zones(context: Context, warehouse: str) -> list[Zone]:
    house = await _find(context, warehouse)
    return [] if house is None else [Zone(**row) for row in await read_zones(context.state.database, house)]


async def _save_zones(context: Context, command: ZoneUpsertInput) -> dict[str, Any]:
    lines = [ZoneLine(line.code, line.kind.value, line.sequence) for line in command.lines]
    given = (command.warehouse, lines)
    call = make_call(context.principal, "zone:upsert", command.idempotency_key, list(given))
    made = await save_zones(context.state, context.principal, *given, call)
    return {"zones": [zone for zone in await _zones(context, command.warehouse) if zone.code in made["zones"]]}


async def _save_bins(context: Context, command: BinUpsertInput) -> dict[str, Any]:
    lines = [BinLine(x.code, x.zone, x.sequence, x.capacity_ml, x.status.value) for x in command.lines]
    given = (command.warehouse, lines)
    call = make_call(context.principal, "bin:upsert", command.idempotency_key, list(given))
    return await _show(context, command.warehouse, await save_bins(context.state, context.principal, *given, call))


async def _set_contents(context: Context, command: BinContentsSetInput) -> dict[str, Any]:
    lines = [ContentLine(line.bin, line.sku, line.quantity) for line in command.lines]
    given = (command.warehouse, lines)
    call = make_call(context.principal, "bin:contents", command.idempotency_key, list(given))
    return await _show(context, command.warehouse, await set_contents(context.state, context.principal, *given, call))


async def _show(context: Context, warehouse: str, made: dict[str, Any]) -> dict[str, Any]:
    house = await _find(context, warehouse)
    assert house is not None
    rows = await read_bins(context.state.database, house, None, made["bins"], 0, SHOWN_MAX)
    return {"bins": [_bin(row) for row in rows]}


@strawberry.type
class ShelfMutation:
    @strawberry.mutation(directives=HOLDERS, description="Create or change zones, by code.")
    async def zone_upsert(self, info: Info, input: ZoneUpsertInput) -> ZoneUpsertPayload:
        return await answer(ZoneUpsertPayload, _save_zones(info.context, input))

    @strawberry.mutation(directives=HOLDERS, description="Create or change bins, by code.")
    async def bin_upsert(self, info: Info, input: BinUpsertInput) -> BinUpsertPayload:
        return await answer(BinUpsertPayload, _save_bins(info.context, input))

    @strawberry.mutation(directives=HOLDERS, description="Say what lies in bins. The ledger does not change by it.")
    async def bin_contents_set(self, info: Info, input: BinContentsSetInput) -> BinContentsSetPayload:
        return await answer(BinContentsSetPayload, _set_contents(info.context, input))


@strawberry.type
class ShelfQuery:
    @strawberry.field(directives=READ, description="In the order in which they are walked.")
    async def zones(self, info: Info, warehouse: str) -> list[Zone]:
        return await _zones(info.context, warehouse)

    @strawberry.field(directives=READ, description="With what lies in them.")
    async def bins(
        self,
        info: Info,
        warehouse: str,
        zone: str | None = None,
        codes: list[str] | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> BinConnection:
        size, (start,) = page_size(first), after_numbers(after, "BinCursor")
        check_names(codes, "codes")
        database, house = info.context.state.database, await _find(info.context, warehouse)
        if house is None:
            house = -1
        rows = await read_bins(database, house, zone, codes, start, size + 1)
        page = make_page([_bin(row) for row in rows], size, "BinCursor", after)
        return BinConnection(count=partial(count_bins, database, house, zone, codes), **page)
