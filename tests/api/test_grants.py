"""Who may make, rotate and revoke which token: never one that could do more than its keeper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from app.state import State
from domain.identity import Role
from tests.company import Client, make_company, make_secret, running_app

_CHANNEL = "INSERT INTO channels (code, name, kind) VALUES ($1, $1, 'SHOPIFY') RETURNING id"


class Office:
    """An admin, and whoever else is hired."""

    def __init__(self, admin: Client, state: State) -> None:
        self.admin = admin
        self.state = state

    async def hire(self, *roles: Role, **limits: Any) -> Client:
        return Client(self.admin.http, await make_secret(self.state, *roles, **limits))


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running_app(settings) as (app, http):
        state = app._rest.state.onhand
        admin = Client(http, await make_secret(state))
        await make_company(admin, skus=1)
        yield Office(admin, state)


async def ask(client: Client, **given: Any) -> tuple[str | None, str | None]:
    """The refusal's code and field; None for both when the token was made."""
    made = await client.mutate("tokenCreate", "secret", **{"name": "asked", "roles": ["ENGINEER"], **given})
    if made["userErrors"]:
        return made["userErrors"][0]["code"], made["userErrors"][0]["path"][0]
    assert made["secret"]
    return None, None


async def test_roles_are_at_most_the_makers(office: Office) -> None:
    engineer = await office.hire(Role.ENGINEER)
    assert await ask(engineer) == (None, None)
    for role in Role:
        refused = ("NOT_ALLOWED", "roles") if role is not Role.ENGINEER else (None, None)
        assert await ask(engineer, roles=["ENGINEER", role.value]) == refused
        assert await ask(office.admin, roles=[role.value]) == (None, None)


async def test_scopes_are_at_most_the_makers(office: Office) -> None:
    keeper = await office.hire(Role.ENGINEER, scopes=["tokens:write", "stock:read"])
    assert await ask(keeper) == ("NOT_ALLOWED", "scopes")
    assert await ask(keeper, scopes=["stock:write"]) == ("NOT_ALLOWED", "scopes")
    assert await ask(keeper, scopes=["stock:read"]) == (None, None)
    assert await ask(keeper, scopes=[]) == (None, None)


async def test_warehouses_and_channels_are_at_most_the_makers(office: Office) -> None:
    mine, other = [await office.state.database.hot.fetchval(_CHANNEL, code) for code in ("MINE", "OTHER")]
    houses = await office.state.lookup.warehouses()
    keeper = await office.hire(Role.ADMIN, warehouse_ids=[houses["BER"].id], channel_ids=[mine])
    both = {"warehouses": ["BER"], "channels": ["MINE"]}
    assert await ask(keeper, **both) == (None, None)
    assert await ask(keeper, **{**both, "warehouses": []}) == (None, None)
    assert await ask(keeper, **{**both, "warehouses": None}) == ("NOT_ALLOWED", "warehouses")
    assert await ask(keeper, **{**both, "warehouses": ["NYC"]}) == ("WAREHOUSE_NOT_FOUND", "warehouses")
    assert await ask(keeper, **{**both, "channels": None}) == ("NOT_ALLOWED", "channels")
    assert await ask(keeper, **{**both, "channels": ["OTHER"]}) == ("CHANNEL_NOT_FOUND", "channels")
    assert await ask(office.admin, channels=["OTHER", "MINE"]) == (None, None)
    assert other != mine


async def test_a_token_that_ends_makes_none_that_lasts(office: Office) -> None:
    keeper = await office.hire(Role.ADMIN, expires_in_seconds=600)
    assert await ask(keeper) == ("NOT_ALLOWED", "expiresInSeconds")
    assert await ask(keeper, expiresInSeconds=6_000) == ("NOT_ALLOWED", "expiresInSeconds")
    assert await ask(keeper, expiresInSeconds=60) == (None, None)


async def test_nobody_takes_over_a_greater_token(office: Office) -> None:
    """Rotating shows the new secret: it must not be a way to become an admin."""
    made = await office.admin.mutate("tokenCreate", "secret token { id }", name="boss", roles=["ADMIN"])
    boss = Client(office.admin.http, made["secret"])
    engineer = await office.hire(Role.ENGINEER)
    for name in ("tokenRotate", "tokenRevoke"):
        refused = await engineer.mutate(name, "token { id }", id=made["token"]["id"])
        assert [error["code"] for error in refused["userErrors"]] == ["NOT_ALLOWED"]
    assert await boss.data("{ me { name } }") == {"me": {"name": "boss"}}
    houses = await office.state.lookup.warehouses()
    local = await office.hire(Role.ADMIN, warehouse_ids=[houses["BER"].id])
    hidden = await local.mutate("tokenRotate", "secret", id=made["token"]["id"])
    assert hidden["userErrors"][0]["code"] == "TOKEN_NOT_FOUND"
    ending = await office.hire(Role.ADMIN, expires_in_seconds=600)
    refused = await ending.mutate("tokenRotate", "secret", id=made["token"]["id"])
    assert refused["userErrors"][0]["code"] == "NOT_ALLOWED"
    assert (await ending.mutate("tokenRevoke", "token { id }", id=made["token"]["id"]))["userErrors"] == []


async def test_an_empty_limit_shows_nothing(office: Office) -> None:
    blind = await office.hire(Role.VIEWER, warehouse_ids=[], channel_ids=[])
    found = await blind.data(
        "{ stockLevels { nodes { id } } warehouses { code } orders { nodes { id } } me { warehouses } }"
    )
    assert found == {"stockLevels": {"nodes": []}, "warehouses": [], "orders": {"nodes": []}, "me": {"warehouses": []}}


TOKENS = """query($active: Boolean, $first: Int, $after: String) { tokens(active: $active, first: $first, after: $after) {
  totalCount pageInfo { endCursor } nodes { id name roles warehouses channels createdBy revokedAt } } }"""


async def test_a_keeper_sees_the_tokens_that_it_could_have_made(office: Office) -> None:
    await office.state.database.hot.fetchval(_CHANNEL, "MINE")
    limits: dict[str, Any] = {"roles": ["WAREHOUSE"], "warehouses": ["NYC", "BER"], "channels": ["MINE"]}
    made = await office.admin.mutate("tokenCreate", "token { id warehouses channels }", name="dock", **limits)
    assert made["token"] == {"id": made["token"]["id"], "warehouses": ["BER", "NYC"], "channels": ["MINE"]}
    found = (await office.admin.data(TOKENS, first=1))["tokens"]
    assert [(node["name"], node["warehouses"], node["roles"]) for node in found["nodes"]] == [
        ("dock", ["BER", "NYC"], ["WAREHOUSE"])
    ]
    older = (await office.admin.data(TOKENS, after=found["pageInfo"]["endCursor"]))["tokens"]["nodes"]
    assert len(older) == found["totalCount"] - 1
    houses = await office.state.lookup.warehouses()
    local = await office.hire(Role.ADMIN, warehouse_ids=[houses["BER"].id, houses["NYC"].id])
    engineer = await office.hire(Role.ENGINEER)
    for keeper, names in ((local, {"dock"}), (engineer, set())):
        seen = (await keeper.data(TOKENS))["tokens"]
        assert {node["name"] for node in seen["nodes"]} & {"dock", "boss"} == names
        assert all(node["warehouses"] is not None for node in seen["nodes"]) or keeper is engineer
        assert seen["totalCount"] == len(seen["nodes"])
    await office.admin.mutate("tokenRevoke", "token { id }", id=made["token"]["id"])
    for active, there in ((True, False), (False, True), (None, True)):
        nodes = (await office.admin.data(TOKENS, active=active))["tokens"]["nodes"]
        assert (made["token"]["id"] in [node["id"] for node in nodes]) == there
