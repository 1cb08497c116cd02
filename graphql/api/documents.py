"""Documents are parsed, validated and measured once, then remembered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    parse,
    validate,
)

from api.errors import ApiError, ErrorCode
from api.limits import Measure, check_measure, measure_operation
from app.settings import Settings

REMEMBERED_MAX = 2_000
INTROSPECTION = ("__schema", "__type")


@dataclass(slots=True)
class Operation:
    """One operation of a remembered document, ready to be executed."""

    document: DocumentNode
    node: OperationDefinitionNode
    kind: OperationType
    name: str
    text: str
    measure: Measure
    introspects: bool
    compiled: Any = None
    tried_to_compile: bool = False

    @property
    def after_variables(self) -> set[str]:
        """Variables that only say where a stream goes on: two streams that differ in them are the same."""
        first = self.node.selection_set.selections[0]
        arguments = (first.arguments or ()) if isinstance(first, FieldNode) else ()
        return {
            argument.value.name.value
            for argument in arguments
            if argument.name.value == "after" and isinstance(argument.value, VariableNode)
        }

    @property
    def root_field(self) -> str:
        first = self.node.selection_set.selections[0]
        return first.name.value if isinstance(first, FieldNode) else ""


class Documents:
    """Remembers what was made of each document text."""

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings
        self._known: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()

    def prepare(self, text: str, operation_name: str | None, variables: dict[str, Any]) -> Operation:
        """The operation to execute. Raises `GraphQLError` (or its first of several, as `errors`) if it may not be."""
        known = self._known.get((text, operation_name))
        if known is None:
            known = self._read(text, operation_name)
            self._known[text, operation_name] = known
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        if known.measure.variable:
            check_measure(measure_operation(self._schema, known.document, known.node, variables), self._settings)
        return known

    def _read(self, text: str, operation_name: str | None) -> Operation:
        document = self._parse(text)
        if errors := validate(self._schema, document, max_errors=10):
            raise InvalidDocument(errors)
        node = _find_operation(document, operation_name)
        measure = measure_operation(self._schema, document, node, {})
        check_measure(measure, self._settings)
        if node.operation is OperationType.SUBSCRIPTION and len(node.selection_set.selections) != 1:
            raise ApiError(ErrorCode.BAD_USER_INPUT, "A subscription selects one field.")
        introspects = any(name in text for name in INTROSPECTION)
        name = node.name.value if node.name else _first_field(node)
        return Operation(document, node, node.operation, name, text, measure, introspects)

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, no_location=False, max_tokens=self._settings.query_tokens_max)
        except GraphQLError as error:
            if "more that" in error.message or (
                "token" in error.message.lower() and "exceeded" in error.message.lower()
            ):
                raise ApiError(ErrorCode.QUERY_TOO_COMPLEX, error.message) from error
            raise


class InvalidDocument(Exception):
    """A document that does not fit the schema, with all that is wrong with it."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


def _first_field(node: OperationDefinitionNode) -> str:
    first = node.selection_set.selections[0]
    return first.name.value if isinstance(first, FieldNode) else node.operation.value


def _find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    assert all(isinstance(node, ExecutableDefinitionNode) for node in document.definitions)
    named = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
    if len(named) != 1:
        problem = f"There is no operation {name!r} in the document." if name else "Say which operation: operationName."
        raise ApiError(ErrorCode.BAD_USER_INPUT, problem)
    return named[0]
