"""The vendor's published schemas as a judge of documents, variables and answers."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    execute,
    get_operation_ast,
    validate,
)
from graphql import parse as parse_text
from graphql.execution.values import get_variable_values

CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts" / "shopify"
VERSIONS = ("2026-07", "2026-10")
"""The one we pin, and the one that comes after it."""


@cache
def read_introspection(version: str) -> dict[str, Any]:
    path = CONTRACTS / f"admin_{version}.json.gz"
    introspection: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))["data"]
    return introspection


@cache
def read_schema(version: str) -> GraphQLSchema:
    return build_client_schema(read_introspection(version), assume_valid=True)  # type: ignore[arg-type]


@cache
def read_contract() -> Contract | None:
    """None where the vendor's files are not."""
    return Contract([read_schema(version) for version in VERSIONS]) if CONTRACTS.is_dir() else None


@cache
def parse(document: str) -> DocumentNode:
    return parse_text(document)


@dataclass
class Contract:
    schemas: list[GraphQLSchema]
    known: dict[str, list[str]] = field(default_factory=dict)

    def judge_document(self, document: str) -> list[str]:
        if document not in self.known:
            parsed = parse(document)
            self.known[document] = [error.message for schema in self.schemas for error in validate(schema, parsed)]
        return self.known[document]

    def judge(self, document: str, variables: dict[str, Any], data: Any) -> list[str]:
        """What is wrong with a document, its variables, or the data that answers it (None: not judged)."""
        problems = list(self.judge_document(document))
        for schema in self.schemas:
            problems += judge_variables(schema, document, variables)
            problems += [] if data is None else judge_data(schema, document, variables, data)
        return problems


def judge_variables(schema: GraphQLSchema, document: str, variables: dict[str, Any]) -> list[str]:
    operation = get_operation_ast(parse(document))
    assert isinstance(operation, OperationDefinitionNode)
    coerced = get_variable_values(schema, operation.variable_definitions or (), variables)
    return [error.message for error in coerced] if isinstance(coerced, list) else []


def judge_data(schema: GraphQLSchema, document: str, variables: dict[str, Any], data: Any) -> list[str]:
    """Executing the document over the data gives the data back without an error.

    So every value has the vendor's type, enums included, and no null is where the vendor promises none.
    """

    def pick(source: Any, info: GraphQLResolveInfo[None], **_: Any) -> Any:
        if info.path.key not in source:
            raise GraphQLError(f"{info.parent_type.name}.{info.field_name} was not answered")
        return source[info.path.key]

    result = execute(
        schema,
        parse(document),
        root_value=data,
        variable_values=variables,
        field_resolver=pick,
        type_resolver=lambda value, info, of: guess_type(value),
    )
    assert isinstance(result, ExecutionResult)
    problems = [error.message for error in result.errors or ()]
    return problems + ([] if result.data == data else ["the answer holds more than was asked for"])


def guess_type(node: dict[str, Any]) -> str:
    """Of a node: what it says, or what its id says; one of which nothing was asked could be anything."""
    name: str = node.get("__typename") or str(node.get("id", "gid://shopify/Location/1")).split("/")[3]
    return name
