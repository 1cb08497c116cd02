"""Anything that fits the schema, and much that does not quite, gets a clear answer and never a bug of ours.

The inputs come from the schema itself, so a new mutation is tried as soon as it is there. What is refused must have
changed nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLNonNull, is_enum_type, is_input_object_type, is_list_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.ids import encode_id
from app.exceptions.open_cases import open_cases
from app.settings import Settings
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from tests.company import Client, make_company, make_secret, running_app
from tests.documents import field_of, root_fields

EXAMPLES = 30
"""For each root field; there are many."""
UNANSWERED = {"INTERNAL", "UNAVAILABLE"}
NOISE = ("feed", "feed_horizon", "idempotency_keys", "relay_positions", "alembic_version", "stock_suspicions")
"""Tables that say nothing about whether a command changed anything; that too much was asked for is a suspicion."""
UUID_KEY = "0197a000-0000-7000-8000-000000000001"
KINDS = (
    *("Sku", "Warehouse", "StockLevel", "StockMovement", "Reservation", "Order", "Token", "Channel", "Listing"),
    *("SyncAttempt", "ExceptionCase", "InboundEvent"),
)

TEXTS = st.one_of(
    st.sampled_from(
        ["SKU-0", "SKU-1", "400000", "BER", "NYC", "", " ", "x", "COUNT", "stock:read", "Europe/Berlin", "DE"]
    ),
    st.sampled_from(
        ["ключ", "商品-1", "e\u0301", "\u202eabc", "🧦", "a\tb", "\x7f", "'; --", "%", "\\", "\u2028", "\ufeff"]
    ),
    st.sampled_from(["x" * 101, "y" * 501, "z" * 5_000, "a\x00b"]),
    st.text(max_size=20),
)
INTS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 5, 60, 1_000_000_000, 1_000_000_001, 2**31 - 1, -(2**31), 2**31, -(2**63)]),
    st.integers(-(2**31), 2**31 - 1),
)
KEYS = st.sampled_from(
    ["1", "0", "-1", "1.1", "1.1.1", "a", "", UUID_KEY, "9" * 18, "9" * 19, "9" * 40, "²", "1e3", "\x00"]
)
IDS = st.one_of(st.builds(encode_id, st.sampled_from(KINDS), KEYS), TEXTS)
MOMENTS = st.one_of(
    st.sampled_from(
        ["2026-11-24T08:00:00Z", "2020-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
    ),
    st.sampled_from(["2026-11-24", "2026-11-24T08:00:00", "yesterday", "", "2026-13-01T00:00:00Z", 7]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)
DECIMALS = st.one_of(
    st.sampled_from(
        ["1.50", "0", "-1", "0.00001", "99999999999", "9999999999.9999", "1e400", "NaN", "Infinity", "-0", "", "1" * 40]
    ),
    st.sampled_from([1, 1.5, -1, 0.1, True]),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
)
KNOWN: list[str] = []
"""Ids of what is really there, filled when it is made."""
REAL_IDS = st.integers(0, 10**6).map(lambda number: KNOWN[number % len(KNOWN)])
HOUSES = st.sampled_from(["BER", "NYC"])
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "sku": st.sampled_from(["SKU-0", "SKU-1", "400000"]),
    "skus": st.lists(st.sampled_from(["SKU-0", "SKU-1"]), max_size=2),
    "warehouse": HOUSES,
    "warehouses": st.lists(HOUSES, max_size=2),
    "quantity": st.sampled_from([1, 1, 2, 3, 0]),
    "delta": st.sampled_from([1, -1, 2, 0]),
    "expectedVersion": st.none(),
    "bucket": st.sampled_from(["AVAILABLE", "DAMAGED", "QUALITY_CONTROL"]),
    "expiresInSeconds": st.integers(1, 10_000),
    "first": st.integers(1, 50),
    "id": REAL_IDS,
    "code": st.integers(0, 10**6).map(lambda number: f"C-{number}"),
    "title": st.just("A thing"),
    "barcode": st.none(),
    "amount": st.just("1.50"),
    "currency": st.just("EUR"),
    "reason": st.just("COUNT"),
    "name": st.just("A name"),
    "timeZone": st.just("UTC"),
    "countryCode": st.just("DE"),
    "latitude": st.floats(-90, 90),
    "longitude": st.floats(-180, 180),
    "occurredAt": st.just("2026-01-01T00:00:00Z"),
    "idempotencyKey": st.one_of(st.none(), st.uuids().map(str)),
    "scopes": st.just(["stock:read"]),
    "channels": st.none(),
    "channel": st.sampled_from(["DIRECT", "SHADOW"]),
    "externalId": st.sampled_from(["A-0", "A-1"]),
    "location": st.none(),
    "shopify": st.none(),
    "amazon": st.none(),
    "ebay": st.none(),
    "owner": st.just("OPERATIONS"),
    "note": st.just("a note"),
    "after": st.none(),
}
"""What makes sense under a name, so that most of an input gets past the first checks."""
SENSE = 11
"""How many values make sense for each one that need not."""
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "String": TEXTS,
    "ID": IDS,
    "Int": INTS,
    "Float": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6)),
    "Boolean": st.booleans(),
    "DateTime": MOMENTS,
    "Decimal": DECIMALS,
    "CurrencyCode": st.sampled_from(["EUR", "USD", "eur", "EURO", "", "€€€"]),
    "JSON": st.recursive(
        st.one_of(st.none(), st.booleans(), INTS, TEXTS),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
        max_leaves=8,
    ),
}


def values_of(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of an input type: mostly valid in form, seldom in sense."""
    if isinstance(kind, GraphQLNonNull):
        return present(kind.of_type, depth)
    return st.one_of(st.none(), present(kind, depth), present(kind, depth))


def present(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    if is_list_type(kind):
        return st.lists(values_of(kind.of_type, depth + 1), max_size=4)
    if is_enum_type(kind):
        return st.sampled_from([*list(kind.values) * 4, "NONSENSE"])
    if is_input_object_type(kind):
        return fields_of(kind.fields, depth + 1)
    return SCALARS[kind.name]


def fields_of(fields: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    known = {name: named(name, values_of(one.type, depth)) for name, one in fields.items()}
    required = {name for name, one in fields.items() if isinstance(one.type, GraphQLNonNull)}
    return st.fixed_dictionaries(
        {name: one for name, one in known.items() if name in required},
        optional={name: one for name, one in known.items() if name not in required},
    )


def named(name: str, anything: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    sensible = NAMED.get(name)
    if sensible is None:
        return anything
    return st.sampled_from([sensible] * SENSE + [anything]).flatmap(lambda chosen: chosen)


def document_of(root: str, name: str) -> str:
    """All arguments as variables of the same names."""
    field = field_of(root, name)
    heads = ", ".join(f"${argument}: {one.type}" for argument, one in field.args.items())
    calls = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    below = "{ __typename userErrors { code path } }" if root == "Mutation" else "{ __typename }"
    if not field.args:
        return f"{root.lower()} {{ {name} {below} }}"
    return f"{root.lower()} Try({heads}) {{ {name}({calls}) {below} }}"


@dataclass
class Target:
    """The API with a small company, and what its database holds."""

    client: Client
    state: State
    tables: list[str]

    async def digest(self) -> list[Any]:
        """A fingerprint of everything a command could change. Rows of zeros that were only locked are nothing."""
        parts = ", ".join(
            f"(SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t)"
            for table in self.tables
        )
        return list(await self.state.database.hot.fetchrow(f"SELECT {parts}"))


@pytest.fixture(scope="module")
async def target(module_settings: Settings) -> AsyncIterator[Target]:
    async with running_app(module_settings) as (app, http):
        state = app._rest.state.onhand
        client = Client(http, await make_secret(state))
        await make_company(client, skus=2)
        records = await state.database.hot.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        tables = [record[0] for record in records if record[0] not in NOISE]
        tables[tables.index("stock_levels")] = "(SELECT * FROM stock_levels WHERE version > 0)"
        KNOWN[:] = await make_ids(client) + await make_cases(state)
        yield Target(client, state, tables)
        assert (await verify_ledger(state.database)).problems == []


async def make_ids(client: Client) -> list[str]:
    line = {"sku": "SKU-0", "quantity": 1, "warehouse": "BER"}
    made = [await client.mutate("reservationCreate", "reservation { id }", lines=[line]) for _ in range(4)]
    tokens = [await client.mutate("tokenCreate", "token { id }", name="t", roles=["VIEWER"]) for _ in range(4)]
    for code in ("DIRECT", "SHADOW"):
        houses = [{"warehouse": "BER"}]
        await client.mutate("channelConnect", "channel { id }", code=code, name=code, warehouses=houses, b2b={})
        lines = [{"sku": f"SKU-{n}", "externalId": f"A-{n}"} for n in range(2)]
        await client.mutate("listingLink", "listings { id }", channel=code, lines=lines)
    await client.mutate("channelGoLive", "channel { id }", channel="DIRECT")
    found = await client.data(
        "{ skus { nodes { id } } stockMovements(first: 2) { nodes { id } } warehouses { id } channels { id } listings { nodes { id } } }"
    )
    ids = [one["reservation"]["id"] for one in made] * 3 + [one["token"]["id"] for one in tokens] * 3
    ids += [node["id"] for node in (*found["skus"]["nodes"], *found["stockMovements"]["nodes"], *found["warehouses"])]
    ids += [node["id"] for node in (*found["channels"], *found["listings"]["nodes"])]
    return ids


async def make_cases(state: State) -> list[str]:
    """A few of every kind, about things that are there and things that are not."""
    problems = [
        Problem(kind, Severity.LOW, CauseClass.UNKNOWN, f"{word}:{number}", "A title")
        for kind in CaseKind
        for word in {"CHANNEL_DOWN": ["channel"], "EVENT_FAILED": ["event"]}.get(kind, ["listing"])
        for number in (1, 2, 99)
    ]
    async with state.database.hot.acquire() as connection, connection.transaction():
        return [encode_id("ExceptionCase", str(one)) for one in await open_cases(connection, problems)]


MUTATIONS = [name for root, name in root_fields() if root == "Mutation"]
QUERIES = [name for root, name in root_fields() if root == "Query"]
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", MUTATIONS)
@BOUNDED
@given(data=st.data())
async def test_a_mutation_is_done_or_refused(target: Target, name: str, data: st.DataObject) -> None:
    given_input = data.draw(values_of(field_of("Mutation", name).args["input"].type))
    before = await target.digest()
    answer = await target.client.send(document_of("Mutation", name), input=given_input)
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert not codes & UNANSWERED, (given_input, answer)
    payload = (answer.get("data") or {}).get(name)
    if payload is None or payload["userErrors"]:
        assert await target.digest() == before, (given_input, answer)


@pytest.mark.parametrize("name", QUERIES)
@BOUNDED
@given(data=st.data())
async def test_a_query_answers(target: Target, name: str, data: st.DataObject) -> None:
    variables = data.draw(fields_of(field_of("Query", name).args))
    answer = await target.client.send(document_of("Query", name), **variables)
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert not codes & UNANSWERED, (variables, answer)


async def open_house(target: Target, code: str) -> None:
    """A warehouse that no random input has closed."""
    assert (await target.client.mutate("warehouseCreate", "warehouse { id }", code=code, name=code))["userErrors"] == []


async def test_a_thousand_lines_are_taken_and_one_more_is_refused(target: Target) -> None:
    await open_house(target, "BIG")
    lines = [{"code": f"MANY-{n}", "title": f"商品 {n}"} for n in range(1_001)]
    refused = await target.client.mutate("skuUpsert", "skus { id }", lines=lines)
    assert [error["code"] for error in refused["userErrors"]] == ["TOO_MANY_LINES"]
    made = await target.client.mutate("skuUpsert", "skus { code }", lines=lines[:1_000], idempotencyKey="many")
    assert [sku["code"] for sku in made["skus"]] == [line["code"] for line in lines[:1_000]]
    assert await target.client.mutate("skuUpsert", "skus { code }", lines=lines[:1_000], idempotencyKey="many") == made
    received = [{"sku": f"MANY-{n}", "quantity": 1_000_000_000} for n in range(1_000)]
    done = await target.client.mutate("stockReceive", "levels { available }", warehouse="BIG", lines=received)
    assert done["userErrors"] == []
    assert {level["available"] for level in done["levels"]} == {1_000_000_000}
    more = await target.client.mutate(
        "stockReceive", "levels { available }", warehouse="BIG", lines=[{"sku": "MANY-7", "quantity": 1}]
    )
    assert [(error["code"], error["path"]) for error in more["userErrors"]] == [
        ("INVALID_QUANTITY", ["lines", "0", "quantity"])
    ]
    held = await target.client.mutate(
        "reservationCreate",
        "reservation { id }",
        lines=[{"sku": f"MANY-{n}", "quantity": 1, "warehouse": "BIG"} for n in range(1_000)],
    )
    assert held["userErrors"] == []
    released = await target.client.mutate(
        "reservationRelease", "reservation { status }", id=held["reservation"]["id"], reference="R-1"
    )
    assert released["reservation"] == {"status": "RELEASED"}


async def test_codes_are_what_people_write(target: Target) -> None:
    codes = ["ключ-1", "商品/1", "🧦", "é", "e\u0301", "a b", "A" * 100]
    made = await target.client.mutate("skuUpsert", "skus { code }", lines=[{"code": code} for code in codes])
    assert [sku["code"] for sku in made["skus"]] == codes
    for code in codes:
        found = await target.client.data("query($c: String!) { sku(code: $c) { id code } }", c=code)
        assert found["sku"]["code"] == code
        assert (await target.client.data("query($i: ID!) { node(id: $i) { id } }", i=found["sku"]["id"]))["node"]


async def test_a_reservation_is_found_by_its_id(target: Target) -> None:
    await open_house(target, "OSL")
    stock = [{"sku": "SKU-0", "quantity": 2}]
    assert (await target.client.mutate("stockReceive", "levels { id }", warehouse="OSL", lines=stock))[
        "userErrors"
    ] == []
    line = {"sku": "SKU-0", "quantity": 2, "warehouse": "OSL"}
    made = await target.client.mutate("reservationCreate", "reservation { id }", lines=[line], reference="cart 7")
    query = "query($i: ID!) { node(id: $i) { ... on Reservation { status reference expiresAt lines { quantity sku { code } warehouse { code } } } } }"
    found = (await target.client.data(query, i=made["reservation"]["id"]))["node"]
    assert (found["status"], found["reference"]) == ("ACTIVE", "cart 7")
    assert found["lines"] == [{"quantity": 2, "sku": {"code": "SKU-0"}, "warehouse": {"code": "OSL"}}]
    houses = await target.state.lookup.warehouses()
    stranger = Client(target.client.http, await make_secret(target.state, warehouse_ids=[houses["BER"].id]))
    assert (await stranger.data(query, i=made["reservation"]["id"]))["node"] is None
