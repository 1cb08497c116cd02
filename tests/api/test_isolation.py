"""A token that is limited to one warehouse sees and touches nothing of another, whatever it asks.

The questions are made from the schema: every root field, with every input that can name a thing, aimed at the things
of a warehouse that is not the token's. The answer must be the one that it gets for what does not exist, and name
nothing of theirs; not one row of theirs may change. What would make a question worthless is checked too: an
administrator who asks the same is shown, or does, what the partner is not.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from api.node import KINDS
from api.schema import REQUIREMENTS
from app.embedded import Servers
from app.settings import Settings
from domain.identity import Role
from tests.company import Client
from tests.conftest import make_settings
from tests.documents import root_fields
from tests.floor_world import more_inputs
from tests.partner_world import (
    COMMON,
    IDS,
    NOWHERE,
    READY,
    THINGS,
    Furnished,
    World,
    furnish_world,
    leaks,
    open_world,
)
from tests.probes import Probe, aim, probe_of
from tests.sockets import open_socket

BLANK: dict[str, str] = {
    "me": "the caller's own token",
    "routingPolicy": "the one that routes by default names nobody",
    "routingPolicies": "there are none",
    "approvalPolicies": "roles and numbers",
    "routingReoptimize": "the other's backlog is where it is best",
    "routingSimulate": "asked for a moment, not for a time: refused",
    "suppliers": "the company's, with no word of warehouses",
}
"""Queries that show nothing of any warehouse, and why."""
QUESTIONS = [pair for pair in root_fields() if pair[0] != "Subscription"]
STREAMS = [name for root, name in root_fields() if root == "Subscription"]


@pytest.fixture(scope="module")
async def furnished(module_settings: Settings) -> Furnished:
    return await furnish_world(module_settings)


@asynccontextmanager
async def copied(servers: Servers, original: Settings, furnished: Furnished) -> AsyncIterator[World]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(servers.create_database, name, original.database_url.rpartition("/")[2])
    try:
        async with open_world(make_settings(servers, name), furnished) as opened:
            yield opened
    finally:
        await asyncio.to_thread(servers.drop_database, name)


@pytest.fixture(scope="module")
async def world(servers: Servers, module_settings: Settings, furnished: Furnished) -> AsyncIterator[World]:
    async with copied(servers, module_settings, furnished) as opened:
        yield opened


def pairs(world: World, root: str, name: str) -> list[tuple[Probe, Probe]]:
    """Each question about theirs beside the same about what does not exist."""
    theirs, nowhere = aim(root, name, THINGS, world.ids), aim(root, name, NOWHERE, world.none)
    found = list(zip(theirs, nowhere, strict=True))
    inputs = zip(more_inputs(name, THINGS, world.ids), more_inputs(name, NOWHERE, world.none), strict=True)
    return found + [(probe_of(root, name, {"input": a}), probe_of(root, name, {"input": b})) for a, b in inputs]


async def ask(client: Client, probe: Probe) -> Any:
    return await client.send(probe.query, **probe.variables)


def blur(answer: Any, things: Mapping[str, str], ids: Mapping[str, str]) -> str:
    """The answer without the names that the caller gave itself, and without what differs each time."""
    for error in answer.get("errors", ()):
        error.get("extensions", {}).pop("correlationId", None)
    text = orjson.dumps(answer, option=orjson.OPT_SORT_KEYS).decode()
    for kind, word in (*((k, v) for k, v in things.items() if k != "sku"), *ids.items()):
        text = text.replace(word, f"<{kind}>")
    text = re.sub(r'"[0-9a-f]{32}"', '"<key>"', text)
    return re.sub(r"\d+\.\d+(e-?\d+)?", "<time>", text)


def test_every_type_with_an_id_is_tried() -> None:
    assert set(KINDS) == set(IDS) | COMMON


@pytest.mark.parametrize(("root", "name"), QUESTIONS)
async def test_a_partner_is_answered_as_if_there_were_no_other_warehouse(world: World, root: str, name: str) -> None:
    allowed = Role.PARTNER in REQUIREMENTS[root, name].roles
    before = await world.digest()
    for theirs, nowhere in pairs(world, root, name):
        answer, other = await ask(world.partner, theirs), await ask(world.partner, nowhere)
        if not allowed:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        assert "INTERNAL" not in str(answer), (theirs, answer)
        assert blur(answer, THINGS, world.ids) == blur(other, NOWHERE, world.none), theirs
        assert leaks(blur(answer, THINGS, world.ids)) == [], (theirs, answer)
    assert await world.digest() == before


@pytest.mark.parametrize(("root", "name"), QUESTIONS)
async def test_nor_does_any_other_role_see_or_touch_more(world: World, root: str, name: str) -> None:
    """All roles at once, and still one warehouse. That a name is taken is told to whoever may give names."""
    before = await world.digest()
    for theirs, nowhere in pairs(world, root, name):
        answer, other = await ask(world.every, theirs), await ask(world.every, nowhere)
        assert leaks(blur(answer, THINGS, world.ids)) == [], (theirs, answer)
        if root == "Query":
            assert blur(answer, THINGS, world.ids) == blur(other, NOWHERE, world.none), theirs
    assert await world.digest() == before


@pytest.mark.parametrize("name", [name for root, name in QUESTIONS if root == "Query"])
async def test_a_question_is_worth_something(world: World, name: str) -> None:
    """An administrator who asks it is told of the other warehouse."""
    shown = [leaks(await ask(world.admin, theirs)) for theirs, _ in pairs(world, "Query", name)]
    assert any(shown) != (name in BLANK)


async def test_an_order_that_a_partner_may_give_would_have_worked(
    servers: Servers, module_settings: Settings, furnished: Furnished
) -> None:
    """An administrator who gives it changes the other warehouse. What an earlier one spoiled has a fresh world."""
    names = [n for r, n in QUESTIONS if r == "Mutation" and Role.PARTNER in REQUIREMENTS[r, n].roles]
    while names:
        async with copied(servers, module_settings, furnished) as world:
            spoiled = [name for name in names if not await _changes(world, name)]
        assert len(spoiled) < len(names), spoiled
        names = spoiled


async def _changes(world: World, name: str) -> bool:
    if name in READY:
        await world.state.database.hot.execute(READY[name])
    before = await world.digest()
    for theirs, _ in pairs(world, "Mutation", name):
        await ask(world.admin, theirs)
    return await world.digest() != before


@pytest.mark.parametrize("name", STREAMS)
async def test_no_stream_tells_of_another_warehouse(world: World, name: str) -> None:
    asked = pairs(world, "Subscription", name)
    clients = (world.partner, world.every, world.admin)
    *limited, told = await asyncio.gather(*(_listen_to_each(world, client, asked) for client in clients))
    for client, found in zip(clients, limited, strict=False):
        for (theirs, nowhere), heard in zip(asked, found, strict=True):
            assert leaks(blur({"heard": heard}, THINGS, world.ids)) == [], theirs
            if "error" in [message["type"] for message in heard]:
                other = await _listen(world, client, nowhere)
                assert blur({"heard": heard}, THINGS, world.ids) == blur({"heard": other}, NOWHERE, world.none)
    assert any(leaks(heard) for heard in told)


async def _listen_to_each(world: World, client: Client, asked: list[tuple[Probe, Probe]]) -> list[list[Any]]:
    """All at once, since it takes silence to know that nothing more comes."""
    return await asyncio.gather(*(_listen(world, client, theirs) for theirs, _ in asked))


async def _listen(world: World, client: Client, probe: Probe) -> list[Any]:
    """What comes first, and what comes when something happens in both warehouses."""
    heard: list[Any] = []
    async with open_socket(world.app, client.secret) as socket:
        await socket.send(id="1", type="subscribe", payload={"query": probe.query, "variables": probe.variables})
        stirred = False
        while len(heard) < 200:
            try:
                async with asyncio.timeout(0.4):
                    heard.append(orjson.loads((await socket.to_client.get())["text"]))
            except TimeoutError:
                if stirred:
                    return heard
                stirred = True
                await _stir(world)
            else:
                if heard[-1]["type"] in ("error", "complete"):
                    return heard
    raise AssertionError("it does not end")


async def _stir(world: World) -> None:
    for house in ("MINE", "ZANZIBAR"):
        lines = [{"sku": "SKU-0", "quantity": 1}]
        made = await world.admin.mutate("stockReceive", "", warehouse=house, lines=lines, reference=f"PO-{house}")
        assert made["userErrors"] == []
