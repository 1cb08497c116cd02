"""`scan`."""

from __future__ import annotations

from enum import StrEnum

import strawberry

from api.context import Info
from api.directives import EVERYONE, requires
from api.floor.return_types import Return, return_from_row
from api.floor.transfer_types import Transfer, transfer_from_row
from api.orders.fields import READ as READ_ORDERS
from api.orders.types import Order, order_from_row
from api.stock.types import Sku, sku_from_row
from app.floor.scan_code import ScanMatch as Match
from app.floor.scan_code import scan_code


@strawberry.enum
class ScanKind(StrEnum):
    SKU = "SKU"
    BIN = "BIN"
    ORDER = "ORDER"
    TRANSFER = "TRANSFER"
    RETURN = "RETURN"


@strawberry.type(description="A place on the floor.")
class ScannedBin:
    code: str
    warehouse: str = strawberry.field(description="Code.")
    zone: str
    zone_kind: str
    sequence: int
    blocked: bool


@strawberry.type(description="What a code means: the field of its kind is filled.")
class ScanMatch:
    kind: ScanKind
    sku: Sku | None = None
    bin: ScannedBin | None = None
    order: Order | None = None
    transfer: Transfer | None = None
    return_: Return | None = strawberry.field(name="return", default=None)


def _bin(match: Match) -> ScannedBin:
    row = match.row
    names = ("code", "warehouse", "zone", "zone_kind", "sequence")
    return ScannedBin(blocked=row["status"] == "BLOCKED", **{name: row[name] for name in names})


def match_from(match: Match) -> ScanMatch:
    kind = ScanKind(match.kind)
    match kind:
        case ScanKind.SKU:
            return ScanMatch(kind=kind, sku=sku_from_row(match.row))
        case ScanKind.BIN:
            return ScanMatch(kind=kind, bin=_bin(match))
        case ScanKind.ORDER:
            return ScanMatch(kind=kind, order=order_from_row(match.row))
        case ScanKind.TRANSFER:
            return ScanMatch(kind=kind, transfer=transfer_from_row(match.row))
        case ScanKind.RETURN:
            return ScanMatch(kind=kind, return_=return_from_row(match.row))


@strawberry.type
class ScanQuery:
    @strawberry.field(
        directives=requires(EVERYONE, "stock:read"),
        description="What a scanned code may mean, the likeliest first; nothing when it means nothing you may see.",
    )
    async def scan(self, info: Info, code: str) -> list[ScanMatch]:
        context = info.context
        orders = context.principal.may(READ_ORDERS[0].roles, READ_ORDERS[0].scope)  # type: ignore[attr-defined]
        found = await scan_code(context.state.database, context.principal, code, orders=orders)
        return [match_from(one) for one in found]
