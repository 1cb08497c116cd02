"""A company with an own warehouse and a partner's, channel orders promised from the partner's, and a clock to move."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from app.orders.take_order import take_order
from app.settings import Settings
from app.state import State
from domain.identity import Role
from tests.company import Client, make_secret, running_app

START = datetime.datetime(2026, 11, 25, 8, 0, tzinfo=datetime.UTC)
ADDRESS = Address("Ada Lovelace", ("1 Main Street",), "Berlin", "BE", "10115", "DE")


@dataclass
class PartnerCompany:
    """`3PL` has ten units of SKU-0 to SKU-2, `OWN` none. `clock`: what the workers take for now."""

    app: Any
    state: State
    admin: Client
    now: datetime.datetime = START
    orders: int = 0

    async def client(self, *roles: Role, **limits: Any) -> Client:
        return Client(self.admin.http, await make_secret(self.state, *roles, **limits))

    async def execute(self, query: str, *values: Any) -> Any:
        return await self.state.database.hot.execute(query, *values)

    async def fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.state.database.hot.fetch(query, *values)]

    async def value(self, query: str, *values: Any) -> Any:
        return await self.state.database.hot.fetchval(query, *values)

    async def connect(self, **fields: Any) -> Any:
        given = {"code": "acme", "warehouse": "3PL", **fields}
        made = await self.admin.mutate("partnerConnect", "secret partner { id webhook }", **given)
        assert made["userErrors"] == [], made
        return made

    async def place(self, **quantities: int) -> UUID:
        """An order of SKUs as in `SKU_0=2`, paid and released to the partner's warehouse; its fulfilment order."""
        self.orders += 1
        key = f"order-{self.orders}"
        lines = tuple(
            ChannelOrderLine(f"{key}-{sku}", sku.replace("_", "-"), sku, units)
            for sku, units in (quantities or {"SKU_0": 1}).items()
        )
        channel = await self.value("SELECT id FROM channels WHERE code = 'shop'")
        await take_order(self.state, channel, ChannelOrder(key, f"#{self.orders}", START, lines, "DE", address=ADDRESS))
        found: UUID = await self.value(
            "UPDATE fulfillment_orders f SET status = 'RELEASED', released_at = now() FROM orders o "
            "WHERE o.id = f.order_id AND o.external_id = $1 RETURNING f.id",
            key,
        )
        return found

    async def cancel(self, number: int) -> None:
        """The buyer cancels everything that can be cancelled."""
        channel = await self.value("SELECT id FROM channels WHERE code = 'shop'")
        gone = ChannelOrder(f"order-{number}", f"#{number}", START, (), "DE", cancelled=True, version=2)
        await take_order(self.state, channel, gone)

    async def cases(self) -> list[tuple[Any, ...]]:
        return await self.fetch("SELECT kind, state, count FROM exception_cases ORDER BY id")

    def pass_seconds(self, seconds: float) -> None:
        self.now += datetime.timedelta(seconds=seconds)


@asynccontextmanager
async def open_partner_company(settings: Settings) -> AsyncIterator[PartnerCompany]:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    async with running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        company = PartnerCompany(app, state, Client(http, await make_secret(state)))
        admin = company.admin
        for code, kind in (("OWN", "OWN"), ("3PL", "THIRD_PARTY")):
            await _do(admin, "warehouseCreate", code=code, name=code, kind=kind)
        skus = [{"code": f"SKU-{n}", "title": f"Thing {n}", "barcode": f"40000{n}"} for n in range(3)]
        await _do(admin, "skuUpsert", lines=skus)
        lines = [{"sku": sku["code"], "quantity": 10} for sku in skus]
        await _do(admin, "stockReceive", warehouse="3PL", lines=lines)
        sources = [{"warehouse": "3PL"}, {"warehouse": "OWN"}]
        await _do(admin, "channelConnect", code="shop", name="Shop", warehouses=sources, b2b={})
        yield company


async def _do(client: Client, name: str, /, **fields: Any) -> None:
    made = await client.mutate(name, "", **fields)
    assert made["userErrors"] == [], (name, made)
