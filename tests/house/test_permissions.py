"""`@requires` is enforced from the object that prints it: each root field, each role, each scope, each transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from graphql import GraphQLObjectType

from api.directives import requirement_of
from api.schema import REQUIREMENTS, core
from app.settings import Settings
from app.state import State
from domain.identity import SCOPES, Role
from tests.company import make_secret, running_app
from tests.documents import guarded_fields, operation_of, reach, root_fields, variables_of
from tests.sockets import open_socket

READS_AND_WRITES = [pair for pair in root_fields() if pair[0] != "Subscription"]
STREAMS = [name for root, name in root_fields() if root == "Subscription"]


@dataclass
class Gate:
    """The API, with a token for each role and ones that lack a scope."""

    app: Any
    http: httpx.AsyncClient
    state: State
    secrets: dict[Role, str]
    nobody: str
    """A token without any role."""

    async def without(self, role: Role, scope: str) -> str:
        return await make_secret(self.state, role, scopes=[known for known in SCOPES if known != scope])

    async def ask(self, secret: str, root: str, name: str) -> set[str]:
        """The codes of the answer's errors."""
        body = {"query": operation_of(root, name), "variables": variables_of(root, name)}
        answer = await self.http.post("/graphql", json=body, headers={"authorization": f"Bearer {secret}"})
        found = answer.json()
        if "FORBIDDEN" in (codes := {error["extensions"]["code"] for error in found.get("errors", ())}):
            assert not any((found.get("data") or {}).values())
        return codes

    async def ask_for(self, secret: str, query: str) -> set[str]:
        """The codes of the answer's errors; an operation that is refused is not executed at all."""
        found = (
            await self.http.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {secret}"})
        ).json()
        codes = {error["extensions"]["code"] for error in found.get("errors", ())}
        assert ("data" in found) == (not codes), found
        return codes

    async def ask_events(self, secret: str, name: str) -> set[str]:
        """The same over Server-Sent Events, for a stream that is refused."""
        body = {"query": operation_of("Subscription", name), "variables": variables_of("Subscription", name)}
        headers = {"authorization": f"Bearer {secret}", "accept": "text/event-stream"}
        answer = await self.http.post("/graphql", json=body, headers=headers)
        events = [orjson.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        return {error["extensions"]["code"] for event in events for error in event["errors"]}

    async def ask_socket(self, secret: str, name: str) -> dict[str, Any]:
        async with open_socket(self.app, secret) as socket:
            return await socket.ask(operation_of("Subscription", name), variables_of("Subscription", name))


@pytest.fixture(scope="module")
async def gate(module_settings: Settings) -> AsyncIterator[Gate]:
    async with running_app(module_settings) as (app, http):
        state = app._rest.state.onhand
        secrets = {role: await make_secret(state, role) for role in Role}
        nobody = await make_secret(state, Role.VIEWER)
        gate = Gate(app, http, state, secrets, nobody)
        await state.database.hot.execute(
            "UPDATE tokens SET roles = '{}' WHERE id = (SELECT id FROM tokens ORDER BY id DESC LIMIT 1)"
        )
        yield gate


@pytest.mark.parametrize(("root", "name"), READS_AND_WRITES)
async def test_a_role_that_is_not_listed_is_refused(gate: Gate, root: str, name: str) -> None:
    requirement = REQUIREMENTS[root, name]
    for role, secret in gate.secrets.items():
        codes = await gate.ask(secret, root, name)
        assert ("FORBIDDEN" in codes) == (role not in requirement.roles), (role, codes)
    assert await gate.ask(gate.nobody, root, name) == {"FORBIDDEN"}
    assert await gate.ask("ohd_unknown", root, name) == {"UNAUTHENTICATED"}


@pytest.mark.parametrize(("root", "name"), [pair for pair in READS_AND_WRITES if REQUIREMENTS[pair].scope])
async def test_a_token_that_lacks_the_scope_is_refused(gate: Gate, root: str, name: str) -> None:
    requirement = REQUIREMENTS[root, name]
    assert requirement.scope in SCOPES
    for role in requirement.roles[:2]:
        secret = await gate.without(role, requirement.scope)
        assert await gate.ask(secret, root, name) == {"FORBIDDEN"}


@pytest.mark.parametrize("name", STREAMS)
async def test_streams_are_refused_on_every_transport(gate: Gate, name: str) -> None:
    requirement = REQUIREMENTS["Subscription", name]
    assert requirement.scope in SCOPES
    refused = [gate.nobody, await gate.without(requirement.roles[0], requirement.scope)]
    refused += [secret for role, secret in gate.secrets.items() if role not in requirement.roles]
    for secret in refused:
        message = await gate.ask_socket(secret, name)
        assert message["type"] == "error"
        assert [error["extensions"]["code"] for error in message["payload"]] == ["FORBIDDEN"]
        assert await gate.ask_events(secret, name) == {"FORBIDDEN"}
    allowed = await gate.ask_socket(gate.secrets[requirement.roles[0]], name)
    assert allowed["type"] != "error" or allowed["payload"][0]["extensions"]["code"] != "FORBIDDEN"


def test_every_unit_cost_is_guarded() -> None:
    guarded = guarded_fields()
    kinds = [
        kind for kind in core.type_map.values() if isinstance(kind, GraphQLObjectType) and "unitCost" in kind.fields
    ]
    assert kinds
    assert {(kind.name, "unitCost") for kind in kinds} <= set(guarded)


@pytest.mark.parametrize(("kind", "name"), guarded_fields())
async def test_a_guarded_field_is_for_its_roles_and_scope(gate: Gate, kind: str, name: str) -> None:
    parent = core.type_map[kind]
    assert isinstance(parent, GraphQLObjectType)
    requirement = requirement_of(parent.fields[name])
    assert requirement is not None
    assert requirement.scope in SCOPES
    query = reach(kind, name)
    for role, secret in gate.secrets.items():
        assert await gate.ask_for(secret, query) == (set() if role in requirement.roles else {"FORBIDDEN"}), role
    without = await gate.without(requirement.roles[0], requirement.scope)
    for secret in (without, gate.nobody):
        for asked in (query, f"query {{ ... A }} fragment A on Query {query}", query[:-1] + " __typename }"):
            assert await gate.ask_for(secret, asked) == {"FORBIDDEN"}


async def test_a_mutation_that_shows_what_it_may_not_does_nothing(gate: Gate) -> None:
    upsert = 'mutation { skuUpsert(input: {lines: [{code: "NEW", unitCost: {amount: "2"}}]}) { skus { unitCost { amount } } } }'
    blind = await make_secret(gate.state, Role.ECOMMERCE, scopes=["stock:write"])
    assert await gate.ask_for(blind, upsert) == {"FORBIDDEN"}
    assert await gate.state.database.hot.fetchval("SELECT count(*) FROM skus WHERE code = 'NEW'") == 0
    assert await gate.ask_for(blind, upsert.replace("unitCost { amount }", "code")) == set()
    assert await gate.state.database.hot.fetchval("SELECT unit_cost FROM skus WHERE code = 'NEW'") == 2


async def test_a_stream_of_costs_is_not_joined_by_whoever_may_not_see_them(gate: Gate) -> None:
    """Who asks the same gets the same bytes: so who may not see all of them gets none."""
    query = "subscription { stockChanged { kind level { sku { unitCost { amount } } } } }"
    async with open_socket(gate.app, gate.secrets[Role.FINANCE]) as open_already:
        assert (await open_already.ask(query))["type"] == "next"
        for role in (Role.WAREHOUSE, Role.PARTNER, Role.VIEWER):
            async with open_socket(gate.app, gate.secrets[role]) as socket:
                message = await socket.ask(query)
                assert message["type"] == "error"
                assert [error["extensions"]["code"] for error in message["payload"]] == ["FORBIDDEN"]


async def test_node_needs_what_the_type_needs(gate: Gate) -> None:
    """One field for every type: the scope of `orders` guards an order's id, and so on."""
    from api.ids import encode_id
    from api.node import KINDS

    keys = {"StockLevel": "1.1", "Sku": "1", "Warehouse": "1", "StockMovement": "1"}
    for kind, (requirement, _) in KINDS.items():
        key = keys.get(kind, "00000000-0000-7000-8000-000000000000")
        body = {"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": encode_id(kind, key)}}
        assert requirement.scope is not None
        without = await gate.without(requirement.roles[0], requirement.scope)
        for secret, codes in (
            (gate.secrets[requirement.roles[0]], []),
            (without, ["FORBIDDEN"]),
            (gate.nobody, ["FORBIDDEN"]),
        ):
            answer = await gate.http.post("/graphql", json=body, headers={"authorization": f"Bearer {secret}"})
            assert [error["extensions"]["code"] for error in answer.json().get("errors", ())] == codes, kind
            assert not codes or not any((answer.json()["data"] or {}).values())
