"""Idempotency keys of every mutation: one effect, the first answer again, from another process too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from app.state import State
from tests.company import Client, make_company, make_secret, running_app


class Pair:
    """Two API processes' worth of application on one database, and one token."""

    def __init__(self, here: Client, there: Client, state: State) -> None:
        self.here = here
        self.there = there
        self.state = state

    async def count(self, table: str) -> int:
        return int(await self.state.database.hot.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def pair(settings: Settings) -> AsyncIterator[Pair]:
    async with running_app(settings) as (app, http), running_app(settings) as (_, other):
        state = app._rest.state.onhand
        secret = await make_secret(state)
        here = Client(http, secret)
        await make_company(here, skus=1)
        yield Pair(here, Client(other, secret), state)


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "warehouseCreate": (
        "warehouse { id code name address }",
        {"code": "OSL", "name": "Oslo", "address": "Havnegata 1"},
        {"code": "OSL", "name": "Oslo 2"},
        "warehouses",
    ),
    "warehouseUpdate": (
        "warehouse { id name timeZone }",
        {"warehouse": "BER", "name": "Berlin", "timeZone": "Europe/Berlin"},
        {"warehouse": "BER", "name": "Berlin 2"},
        "warehouses",
    ),
    "skuUpsert": (
        "skus { id code title unitCost { amount currency } }",
        {"lines": [{"code": "NEW", "title": "New", "unitCost": {"amount": "1.20", "currency": "EUR"}}]},
        {"lines": [{"code": "NEWER"}]},
        "skus",
    ),
    "tokenCreate": (
        "token { id name roles scopes createdAt }",
        {"name": "once", "roles": ["VIEWER"], "scopes": ["stock:read"]},
        {"name": "twice", "roles": ["VIEWER"]},
        "tokens",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_key_has_one_effect_and_one_answer_in_every_process(pair: Pair, name: str) -> None:
    selection, given, other, table = CASES[name]
    before = await pair.count(table)
    first = await pair.here.mutate(name, selection, **given, idempotencyKey="k")
    assert first["userErrors"] == []
    grown = await pair.count(table)
    assert grown == before + (name != "warehouseUpdate")
    for client in (pair.here, pair.there):
        assert await client.mutate(name, selection, **given, idempotencyKey="k") == first
    reused = await pair.there.mutate(name, selection, **other, idempotencyKey="k")
    assert reused["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await pair.count(table) == grown


async def test_both_processes_at_once_make_one_warehouse(pair: Pair) -> None:
    answers = await asyncio.gather(
        *(
            client.mutate("warehouseCreate", "warehouse { id }", code="OSL", name="Oslo", idempotencyKey="race")
            for client in [pair.here, pair.there] * 8
        )
    )
    assert [answer["userErrors"] for answer in answers] == [[]] * 16
    assert len({answer["warehouse"]["id"] for answer in answers}) == 1


async def test_a_refusal_is_the_answer_even_when_it_would_succeed_now(pair: Pair) -> None:
    line = [{"sku": "LATER", "quantity": 3}]
    refused = await pair.here.mutate(
        "stockReceive", "levels { version }", warehouse="BER", lines=line, idempotencyKey="r"
    )
    assert refused["userErrors"][0]["code"] == "SKU_NOT_FOUND"
    await pair.here.mutate("skuUpsert", "skus { code }", lines=[{"code": "LATER"}])
    again = await pair.there.mutate(
        "stockReceive", "levels { version }", warehouse="BER", lines=line, idempotencyKey="r"
    )
    assert again == refused
    fresh = await pair.there.mutate("stockReceive", "levels { available }", warehouse="BER", lines=line)
    assert fresh["levels"] == [{"available": 3}]
    taken = await pair.here.mutate("warehouseCreate", "warehouse { id }", code="NYC", name="N", idempotencyKey="t")
    assert taken["userErrors"][0]["code"] == "ALREADY_EXISTS"
    assert (
        await pair.there.mutate("warehouseCreate", "warehouse { id }", code="NYC", name="N", idempotencyKey="t")
        == taken
    )


async def test_the_first_answer_outlives_the_closing_of_its_warehouse(pair: Pair) -> None:
    async def receive(client: Client) -> Any:
        lines = [{"sku": "SKU-0", "quantity": 5}]
        selection = "levels { available } movements { id }"
        return await client.mutate("stockReceive", selection, warehouse="NYC", lines=lines, idempotencyKey="c")

    async def reserve(client: Client) -> Any:
        lines = [{"sku": "SKU-0", "quantity": 5, "warehouse": "NYC"}]
        return await client.mutate("reservationCreate", "reservation { id }", lines=lines, idempotencyKey="d")

    received, reserved = await receive(pair.here), await reserve(pair.here)
    assert received["userErrors"] == reserved["userErrors"] == []
    await pair.here.mutate("warehouseUpdate", "warehouse { id }", warehouse="NYC", status="CLOSED")
    assert await receive(pair.here) == await receive(pair.there) == received
    assert await reserve(pair.here) == await reserve(pair.there) == reserved


async def test_a_repeated_token_mutation_shows_no_secret_and_none_is_kept(pair: Pair) -> None:
    given: dict[str, Any] = {"name": "shop", "roles": ["VIEWER"], "idempotencyKey": "make"}
    made = await pair.here.mutate("tokenCreate", "secret token { id }", **given)
    again = await pair.there.mutate("tokenCreate", "secret token { id }", **given)
    assert again == {**made, "secret": None}
    key = {"id": made["token"]["id"], "idempotencyKey": "turn"}
    turned, repeated = await asyncio.gather(
        pair.here.mutate("tokenRotate", "secret token { id }", **key),
        pair.there.mutate("tokenRotate", "secret token { id }", **key),
    )
    secrets = {turned["secret"], repeated["secret"]}
    assert None in secrets
    (secret,) = secrets - {None}
    assert await Client(pair.here.http, secret).data("{ me { name } }") == {"me": {"name": "shop"}}
    kept = "".join(await _kept_answers(pair.state))
    assert secret not in kept
    assert made["secret"] not in kept
    gone = await pair.here.mutate("tokenRevoke", "token { revokedAt }", id=key["id"], idempotencyKey="end")
    assert gone["token"]["revokedAt"] is not None
    assert await pair.there.mutate("tokenRevoke", "token { revokedAt }", id=key["id"], idempotencyKey="end") == gone


async def _kept_answers(state: State) -> list[str]:
    return [record[0] for record in await state.database.hot.fetch("SELECT answer::text FROM idempotency_keys")]


async def test_extending_and_releasing_give_their_first_answer_again(pair: Pair) -> None:
    lines = [{"sku": "SKU-0", "quantity": 1, "warehouse": "BER"}]
    made = await pair.here.mutate("reservationCreate", "reservation { id }", lines=lines)
    selection = "reservation { id status expiresAt createdAt lines { quantity } }"
    extend = {"id": made["reservation"]["id"], "expiresInSeconds": 600, "idempotencyKey": "longer"}
    release = {"id": made["reservation"]["id"], "idempotencyKey": "over"}
    extended = await pair.here.mutate("reservationExtend", selection, **extend)
    released = await pair.here.mutate("reservationRelease", selection, **release)
    assert extended["reservation"]["status"] == "ACTIVE"
    assert released["reservation"]["status"] == "RELEASED"
    for client in (pair.here, pair.there):
        assert await client.mutate("reservationExtend", selection, **extend) == extended
        assert await client.mutate("reservationRelease", selection, **release) == released
