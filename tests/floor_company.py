"""A company with warehouses, people of every kind, and what the tests of the floor ask again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.settings import Settings
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.identity import Role
from tests.company import Client, make_company, make_secret, running_app

COUNTS = "requested picked shipped received damaged missing recalled returned returnedDamaged writtenOff"
TRANSFER = f"transfer {{ id label state lines {{ sku {{ code }} {COUNTS} }} }}"
RETURN = (
    "return { id label state custody condition money channelRestocked refund { amount } "
    "lines { sku { code } description finding authorized received inspected } inspections { disposition quantity } }"
)
LEVEL = "available committed damaged qualityControl inTransit incoming onHand"


@dataclass
class FloorCompany:
    """`client` may do anything. Ends with the ledger verified."""

    app: Any
    http: httpx.AsyncClient
    state: State
    client: Client

    async def hire(self, *roles: Role, houses: tuple[str, ...] | None = None) -> Client:
        known = await self.state.lookup.warehouses()
        ids = None if houses is None else [known[code].id for code in houses]
        return Client(self.http, await make_secret(self.state, *roles, warehouse_ids=ids))

    async def level(self, sku: str, warehouse: str) -> dict[str, int]:
        query = f"query($s: [String!], $w: [String!]) {{ stockLevels(filter: {{skus: $s, warehouses: $w}}) {{ nodes {{ {LEVEL} }} }} }}"
        nodes = (await self.client.data(query, s=[sku], w=[warehouse]))["stockLevels"]["nodes"]
        return nodes[0] if nodes else dict.fromkeys(LEVEL.split(), 0)

    async def some(self, sku: str, warehouse: str, *names: str) -> tuple[int, ...]:
        level = await self.level(sku, warehouse)
        return tuple(level[name] for name in names)

    async def do(self, name: str, selection: str, /, client: Client | None = None, **fields: Any) -> Any:
        """A mutation that must not be refused."""
        made = await (client or self.client).mutate(name, selection, **fields)
        assert made["userErrors"] == [], (name, made)
        return made

    async def refuse(self, name: str, selection: str, /, client: Client | None = None, **fields: Any) -> str:
        """The code of a refusal."""
        made = await (client or self.client).mutate(name, selection, **fields)
        assert made["userErrors"], (name, made)
        return str(made["userErrors"][0]["code"])

    async def cases(self, *kinds: str, states: tuple[str, ...] = ("OPEN",)) -> list[dict[str, Any]]:
        query = "query($f: ExceptionCaseFilter) { exceptionCases(filter: $f) { nodes { kind state detail subjectId warehouse } } }"
        found = await self.client.data(query, f={"kinds": list(kinds), "states": list(states)})
        return list(found["exceptionCases"]["nodes"])

    async def value(self, query: str, *values: Any) -> Any:
        return await self.state.database.hot.fetchval(query, *values)


@asynccontextmanager
async def open_floor_company(settings: Settings, units: int = 100, skus: int = 3) -> AsyncIterator[FloorCompany]:
    """Warehouses BER, NYC and SYD with `units` of each SKU: SKU-0, SKU-1 and so on."""
    async with running_app(settings) as (app, http):
        state: State = app._rest.state.onhand
        client = Client(http, await make_secret(state))
        await make_company(client, warehouses=("BER", "NYC", "SYD"), units=units, skus=skus)
        yield FloorCompany(app, http, state, client)
        assert (await verify_ledger(state.database)).problems == []
