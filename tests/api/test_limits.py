"""What one operation may ask for, measured on the document itself."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import GraphQLError, get_introspection_query

from api.documents import Documents, InvalidDocument
from api.errors import ApiError
from api.limits import Measure
from api.schema import core
from app.settings import Settings

SETTINGS = Settings(database_url="postgresql://nowhere/x", redis_url="redis://nowhere")


def measure(text: str, **variables: Any) -> Measure:
    return Documents(core, SETTINGS).prepare(text, None, variables).measure


def code_of(text: str, **variables: Any) -> str:
    with pytest.raises(GraphQLError) as raised:
        Documents(core, SETTINGS).prepare(text, None, variables)
    assert isinstance(raised.value, ApiError)
    assert raised.value.extensions is not None
    return str(raised.value.extensions["code"])


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ __typename }", 0),
        ("{ me { name roles } }", 1),
        ("{ warehouses { code } }", 1),
        ("{ stockLevels(first: 100) { nodes { available } } }", 1 + 100 * 1),
        ("{ stockLevels(first: 100) { nodes { sku { code } warehouse { code } } } }", 1 + 100 * 3),
        ("{ stockLevels { nodes { available } } }", 1 + 50),
        ("{ stockLevels(first: 10) { totalCount } }", 1 + 100),
        (
            "{ stockLevels(first: 10) { totalCount pageInfo { endCursor } nodes { id } edges { node { id } } } }",
            1 + 100 + 1 + 10 + 20,
        ),
        ('{ stockExplain(sku: "a", warehouse: "b") { terms { bucket } } }', 101),
        ("{ skus(first: 10) { nodes { stock { available } } } }", 1 + 10 * (1 + 5)),
        ("{ skus(first: 10) { ...F } } fragment F on SkuConnection { nodes { unitCost { amount } } }", 1 + 10 * 2),
        ('{ node(id: "x") { ... on Sku { stock { available } } } }', 1 + 5),
    ],
)
def test_cost_is_as_documented(text: str, cost: int) -> None:
    assert measure(text).cost == cost


def test_a_page_size_given_as_a_variable_counts() -> None:
    documents = Documents(core, SETTINGS.model_copy(update={"query_cost_max": 100}))
    text = "query($n: Int!) { skus(first: $n) { nodes { unitCost { amount } } } }"
    assert documents.prepare(text, None, {"n": 49}).measure.variable
    for first in (50, 250, 10**9):
        with pytest.raises(ApiError, match="The cost of this operation"):
            documents.prepare(text, None, {"n": first})


def test_the_default_of_a_variable_counts_when_it_is_left_out() -> None:
    text = "query($n: Int! = 250) { stockLevels(first: $n) { nodes { available } } }"
    operation = Documents(core, SETTINGS).prepare(text, None, {})
    assert operation.measure.cost == 1 + 250


def test_depth_and_aliases_and_tokens() -> None:
    deep = "{ skus(first: 1) { nodes " + "{ stock { sku " * 6 + "{ code }" + " } }" * 6 + " } }"
    assert code_of(deep) == "QUERY_TOO_COMPLEX"
    assert code_of("{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }") == "QUERY_TOO_COMPLEX"
    assert measure("{ " + " ".join(f"a{n}: __typename" for n in range(30)) + " }").aliases == 30
    assert code_of("{ " + "__typename " * 2_000 + "}") == "QUERY_TOO_COMPLEX"


def test_nesting_beyond_reason_is_no_bug_of_ours() -> None:
    for text in ("{ skus " * 900 + "}" * 900, "{ sku(code: " + "[" * 900 + "]" * 900 + ") { id } }"):
        with pytest.raises((GraphQLError, InvalidDocument)):
            Documents(core, SETTINGS).prepare(text, None, {})


def test_fragments_that_double_are_measured_quickly() -> None:
    """2^60 fields, in a document of a few hundred tokens."""
    parts = [
        f"fragment F{n} on Sku {{ stock {{ id sku {{ ...F{n + 1} }} }} stock {{ sku {{ ...F{n + 1} }} }} }}"
        for n in range(60)
    ]
    for body in ("{ skus(first: 1) { nodes { ...F0 } } }", "{ skus(first: 1) { nodes { ...F0 ...F0 ...F1 } } }"):
        started = time.perf_counter()
        assert code_of(" ".join([body, *parts, "fragment F60 on Sku { code }"])) == "QUERY_TOO_COMPLEX"
        assert time.perf_counter() - started < 5
    flat = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} a{n}: __typename }}" for n in range(60)]
    assert code_of(" ".join(["{ ...F0 }", *flat, "fragment F60 on Query { __typename }"])) == "QUERY_TOO_COMPLEX"


@pytest.mark.parametrize(
    ("text", "introspects"),
    [
        ("{ __typename }", False),
        ('{ sku(code: "__type __schema") { id } }', False),
        ("query __type { me { name __typename } }", False),
        ("{ __schema: me { name } }", False),
        ("{ x: __schema { queryType { name } } }", True),
        ('{ x: __type(name: "Sku") { name } }', True),
        ("{ ...F } fragment F on Query { ...G } fragment G on Query { a: __schema { queryType { name } } }", True),
        ("{ ... on Query { ... { __schema { queryType { name } } } } }", True),
        ("query A { me { name } }", False),
        (get_introspection_query(), True),
    ],
)
def test_introspection_is_a_field_whatever_it_is_called(text: str, introspects: bool) -> None:
    assert measure(text).introspects is introspects


@pytest.mark.parametrize(
    "text",
    [
        "subscription { ...F } fragment F on Subscription { stockChanged { cursor } }",
        "subscription { ... { stockChanged { cursor } } }",
        "subscription @x { stockChanged { cursor } }",
        "subscription { stockChanged @include(if: true) { cursor } }",
        "subscription { a: stockChanged { cursor } b: stockChanged { cursor } }",
        "{ skus { } }",
        "{ }",
        "fragment F on Query { me { name } }",
        "",
        '{ sku(code: "\\u0000") { id } }',
        '{ sku(code: """a\\u0000""", b: 1) { id } }',
    ],
)
def test_what_is_refused_before_it_runs(text: str) -> None:
    with pytest.raises((GraphQLError, InvalidDocument)):
        Documents(core, SETTINGS).prepare(text, None, {})


def test_only_who_may_introspect_is_told_of_other_fields() -> None:
    documents = Documents(core, SETTINGS)
    with pytest.raises(InvalidDocument, match="Did you mean"):
        documents.prepare("{ skuz { id } }", None, {})
    with pytest.raises(InvalidDocument) as raised:
        documents.prepare("{ skuz { id } }", None, {}, hints=False)
    assert "skus" not in str(raised.value)


def test_long_documents_are_not_remembered() -> None:
    documents = Documents(core, SETTINGS)
    short, long = "{ me { name } }", "{ me { name } } #" + "x" * 20_000
    assert documents.prepare(short, None, {}) is documents.prepare(short, None, {})
    assert documents.prepare(long, None, {}) is not documents.prepare(long, None, {})
