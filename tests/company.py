"""A small company to test with, and a client that speaks to the API in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.identity.tokens import TokenCreate, create_token
from app.main import Application, create_app
from app.settings import Settings
from app.state import State
from app.transact import transact
from domain.identity import Role


async def make_secret(state: State, *roles: Role, **limits: Any) -> str:
    made = await transact(
        state.database,
        lambda session: create_token(session, TokenCreate("test", roles or (Role.ADMIN,), **limits), "test"),
    )
    return made.secret


@dataclass(slots=True)
class Client:
    """Sends operations with one token."""

    http: httpx.AsyncClient
    secret: str

    async def send(self, query: str, **variables: Any) -> Any:
        response = await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {self.secret}"},
        )
        return response.json()

    async def data(self, query: str, **variables: Any) -> Any:
        answer = await self.send(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def mutate(self, name: str, selection: str, /, **fields: Any) -> Any:
        kind = name[0].upper() + name[1:] + "Input"
        query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message path }} }} }}"
        return (await self.data(query, input=fields))[name]


@asynccontextmanager
async def running_app(settings: Settings) -> AsyncIterator[tuple[Application, httpx.AsyncClient]]:
    """The application with its lifespan, and an HTTP client on it."""
    app = create_app(settings)
    rest = app._rest
    async with (
        rest.router.lifespan_context(rest),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://onhand") as client,
    ):
        yield app, client


async def make_company(
    client: Client, warehouses: Sequence[str] = ("BER", "NYC"), skus: int = 3, units: int = 100
) -> None:
    """Warehouses, SKUs `SKU-0`… and `units` of each in every warehouse."""
    for code in warehouses:
        made = await client.mutate("warehouseCreate", "warehouse { id }", code=code, name=f"Warehouse {code}")
        assert made["userErrors"] == []
    lines = [{"code": f"SKU-{n}", "title": f"Thing {n}", "barcode": f"40000{n}"} for n in range(skus)]
    assert (await client.mutate("skuUpsert", "skus { code }", lines=lines))["userErrors"] == []
    for code in warehouses:
        received = [{"sku": f"SKU-{n}", "quantity": units} for n in range(skus)]
        made = await client.mutate("stockReceive", "levels { available }", warehouse=code, lines=received)
        assert made["userErrors"] == []
