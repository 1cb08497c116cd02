"""The store's SDL says nothing the vendor's published introspections do not say, of this version and the next."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    print_ast,
)

import adapters.sandbox.shopify as sandbox
from tests.adapters.shopify.contract import CONTRACTS, VERSIONS, read_introspection

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not CONTRACTS.is_dir(), reason="needs ../shared/contracts beside the repository"),
]

KINDS = {
    GraphQLObjectType: "OBJECT",
    GraphQLInterfaceType: "INTERFACE",
    GraphQLInputObjectType: "INPUT_OBJECT",
    GraphQLEnumType: "ENUM",
    GraphQLScalarType: "SCALAR",
}


@cache
def read_real(version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The vendor's types and directives by name."""
    schema = read_introspection(version)["__schema"]
    return {entry["name"]: entry for entry in schema["types"]}, {entry["name"]: entry for entry in schema["directives"]}


@cache
def read_ours() -> Any:
    folder = Path(sandbox.__file__).parent / "contract"
    return build_schema("\n".join(path.read_text() for path in sorted(folder.glob("*.graphql"))))


def write_type(entry: dict[str, Any]) -> str:
    if entry["kind"] == "NON_NULL":
        return f"{write_type(entry['ofType'])}!"
    if entry["kind"] == "LIST":
        return f"[{write_type(entry['ofType'])}]"
    return str(entry["name"])


def write_default(entry: GraphQLArgument | GraphQLInputField) -> str | None:
    """As the introspection writes it; None when there is none."""
    if entry.ast_node is None or entry.ast_node.default_value is None:
        return None
    return print_ast(entry.ast_node.default_value)


def list_ours() -> list[GraphQLNamedType]:
    builtin = {"String", "Int", "Float", "Boolean", "ID"}
    return [
        entry for name, entry in read_ours().type_map.items()
        if not name.startswith("__") and name not in builtin
    ]  # fmt: skip


def list_differences(ours: GraphQLNamedType, real: dict[str, Any]) -> list[str]:
    if KINDS[type(ours)] != real["kind"]:
        return [f"{ours.name} is {real['kind']}"]
    if isinstance(ours, GraphQLEnumType):
        known = {value["name"] for value in real["enumValues"]}
        return [f"{ours.name}.{value} does not exist" for value in ours.values if value not in known]
    if isinstance(ours, GraphQLInputObjectType):
        return compare_inputs(ours.name, ours.fields, real["inputFields"], whole=False)
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        return compare_fields(ours, {field["name"]: field for field in real["fields"]})
    return []


def compare_fields(ours: GraphQLObjectType | GraphQLInterfaceType, real: dict[str, Any]) -> list[str]:
    differences = []
    for name, field in ours.fields.items():
        path = f"{ours.name}.{name}"
        if name not in real:
            differences.append(f"{path} does not exist")
            continue
        if str(field.type) != write_type(real[name]["type"]):
            differences.append(f"{path}: {field.type} is {write_type(real[name]['type'])}")
        differences += compare_inputs(path, field.args, real[name]["args"], whole=True)
    return differences


def compare_inputs(path: str, ours: dict[str, Any], real: list[dict[str, Any]], *, whole: bool) -> list[str]:
    """`whole`: every required argument of the vendor's must be ours too."""
    known = {entry["name"]: entry for entry in real}
    differences = [
        f"{path}({name}: {entry.type}) is {write_type(known[name]['type']) if name in known else 'unknown'}"
        for name, entry in ours.items()
        if name not in known or str(entry.type) != write_type(known[name]["type"])
    ]
    differences += [
        f"{path}({name}) defaults to {known[name]['defaultValue']}"
        for name, entry in ours.items()
        if name in known and write_default(entry) != known[name]["defaultValue"]
    ]
    required = {name for name, entry in known.items() if entry["type"]["kind"] == "NON_NULL"}
    missing = {name for name in required if known[name]["defaultValue"] is None} - ours.keys()
    return differences + ([f"{path} lacks {sorted(missing)}"] if whole and missing else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_field_argument_and_value_is_the_vendors(version: str) -> None:
    real, _ = read_real(version)
    differences: list[str] = []
    for ours in list_ours():
        if ours.name not in real:
            differences.append(f"{ours.name} does not exist")
        else:
            differences += list_differences(ours, real[ours.name])
    assert differences == []


@pytest.mark.parametrize("version", VERSIONS)
def test_interfaces_are_the_vendors(version: str) -> None:
    real, _ = read_real(version)
    for ours in list_ours():
        if isinstance(ours, GraphQLObjectType):
            known = {entry["name"] for entry in real[ours.name]["interfaces"]}
            assert {entry.name for entry in ours.interfaces} <= known, ours.name


@pytest.mark.parametrize("version", VERSIONS)
def test_idempotent_directive_is_the_vendors(version: str) -> None:
    _, directives = read_real(version)
    ours = read_ours().get_directive("idempotent")
    assert compare_inputs("@idempotent", ours.args, directives["idempotent"]["args"], whole=True) == []
    assert {place.name for place in ours.locations} <= set(directives["idempotent"]["locations"])


@pytest.mark.parametrize(
    "broken",
    [
        "type Query { a: Int } type Location { id: ID! nickname: String }",
        "type Query { a: Int } type Location { name: String }",
        "type Query { a: Int } type Location { inventoryLevel(includeInactive: Boolean = true): Int }",
        "type Query { a: Int } enum LocationSortKeys { SHOE_SIZE }",
        "type Query { a: Int } input InventoryQuantityInput { quantity: String! }",
    ],
)
def test_the_comparison_sees_a_difference(broken: str) -> None:
    real, _ = read_real(VERSIONS[0])
    schema = build_schema(broken)
    types = [schema.type_map[name] for name in schema.type_map if name in real and name[0].isupper()]
    assert any(list_differences(entry, real[entry.name]) for entry in types if type(entry) in KINDS)
