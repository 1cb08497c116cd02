"""A partner that is a few dictionaries: the port's own fake, for tests of whatever drives partners.

`before` is called with the name of each call and may raise a `Fault`, change the partner or wait; `after` likewise once
it is done, so that a reply can be lost.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from adapters.channels.threepl.base import (
    ChangePage,
    Delegation,
    PartnerOrder,
    PartnerRefusal,
    PartnerShipment,
    PartnerStatus,
    PartnerStock,
    StockPage,
    Units,
)

Hook = Callable[[str], Awaitable[None]]


async def _nothing(_: str) -> None: ...


@dataclass(slots=True)
class MemoryPartner:
    """`work`: what it was given, by its order id. `told`: what `recent_changes` answers, in this order."""

    work: dict[str, Delegation] = field(default_factory=dict)
    orders: dict[str, PartnerOrder] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    stock: list[PartnerStock] = field(default_factory=list)
    as_of: datetime.datetime = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    before: Hook = _nothing
    after: Hook = _nothing

    async def delegate(self, work: Delegation) -> str:
        await self.before("delegate")
        known = next((key for key, given in self.work.items() if given.key == work.key), None)
        key = known or f"P-{len(self.work) + 1}"
        self.work.setdefault(key, work)
        self.orders.setdefault(key, PartnerOrder(key, None))
        await self.after("delegate")
        return key

    async def request_cancel(self, partner_order_id: str, reason: str, key: str) -> None:
        await self.before("request_cancel")
        self.cancels.append(partner_order_id)
        await self.after("request_cancel")

    async def recent_changes(self, since: datetime.datetime, cursor: str | None = None) -> ChangePage:
        await self.before("recent_changes")
        return ChangePage(tuple(self.orders[key] for key in self.told), None)

    async def read_order(self, partner_order_id: str) -> PartnerOrder | None:
        await self.before("read_order")
        return self.orders.get(partner_order_id)

    async def read_stock(self, skus: Sequence[str] = (), cursor: str | None = None) -> StockPage:
        await self.before("read_stock")
        return StockPage(tuple(one for one in self.stock if not skus or one.sku in skus), self.as_of, None)

    def accept(self, key: str) -> None:
        self._tell(replace(self.orders[key], status=PartnerStatus.PROCESSING))

    def ship(self, key: str, lines: dict[str, int], at: datetime.datetime, tracking: str = "T1") -> None:
        """One more parcel."""
        known = self.orders[key]
        number = f"{key}-N{len(known.shipments) + 1}"
        parcel = PartnerShipment(number, _units(lines), "dhl", tracking, at)
        self._tell(replace(known, status=PartnerStatus.SHIPPED, shipments=(*known.shipments, parcel)))

    def refuse(self, key: str, status: PartnerStatus, reason: str, lines: dict[str, int] | None = None) -> None:
        known = self.orders[key]
        refusal = PartnerRefusal(status, reason, _units(lines or {}))
        kept = PartnerStatus.SHIPPED if known.shipments else status
        self._tell(replace(known, status=kept, refusals=(*known.refusals, refusal)))

    def _tell(self, order: PartnerOrder) -> None:
        self.orders[order.partner_order_id] = order
        self.told.append(order.partner_order_id)


def _units(lines: dict[str, int]) -> tuple[Units, ...]:
    return tuple(Units(line_id, None, quantity) for line_id, quantity in lines.items())
