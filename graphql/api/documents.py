"""Documents are parsed, validated and measured once, then remembered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    parse,
    separate_operations,
    validate,
    visit,
)

from api.errors import ApiError, ErrorCode
from api.limits import Measure, check_measure, measure_operation
from app.settings import Settings

REMEMBERED_MAX = 2_000
REMEMBERED_CHARACTERS_MAX = 16_384
"""A longer document is read anew each time: what is remembered stays small, whoever sends what."""
ERRORS_MAX = 10


@dataclass(slots=True)
class Operation:
    """One operation of a remembered document, ready to be executed."""

    document: DocumentNode
    node: OperationDefinitionNode
    kind: OperationType
    name: str
    text: str
    measure: Measure
    compiled: Any = None
    tried_to_compile: bool = False

    @property
    def introspects(self) -> bool:
        return self.measure.introspects

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
        """The field it selects; `several` when there are more, or when a fragment selects them.

        A name of the schema: metrics and spans are labelled with it, and must not grow with what clients send.
        """
        selections = self.node.selection_set.selections
        first = selections[0]
        return first.name.value if len(selections) == 1 and isinstance(first, FieldNode) else "several"


class Documents:
    """Remembers what was made of each document text."""

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings
        self._known: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()

    def prepare(
        self, text: str, operation_name: str | None, variables: dict[str, Any], *, hints: bool = True
    ) -> Operation:
        """The operation to execute. Raises `ApiError`, `GraphQLError` or `InvalidDocument` if it may not be.

        `hints`: whether errors may name fields of the schema that were not asked for.
        """
        known = self._known.get((text, operation_name))
        if known is None:
            try:
                known = self._read(text, operation_name, hints)
            except RecursionError:
                raise ApiError(ErrorCode.QUERY_TOO_COMPLEX, "The document is nested too deeply.") from None
            if len(text) <= REMEMBERED_CHARACTERS_MAX:
                self._remember(text, operation_name, known)
        if known.measure.variable:
            check_measure(measure_operation(self._schema, known.document, known.node, variables), self._settings)
        return known

    def _remember(self, text: str, operation_name: str | None, operation: Operation) -> None:
        self._known[text, operation_name] = operation
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def _read(self, text: str, operation_name: str | None, hints: bool) -> Operation:
        document = self._parse(text)
        if errors := validate(
            self._schema,
            document,
            max_errors=ERRORS_MAX,
            hide_suggestions=not hints,
            allow_empty_selection_sets=False,
        ):
            raise InvalidDocument(errors)
        visit(document, _RefuseNul())
        node = _find_operation(document, operation_name)
        if node.operation is OperationType.SUBSCRIPTION:
            _check_subscription(self._schema, document, node)
        measure = measure_operation(self._schema, document, node, {})
        if not measure.variable:
            check_measure(measure, self._settings)
        return Operation(document, node, node.operation, node.name.value if node.name else "", text, measure)

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, no_location=False, max_tokens=self._settings.query_tokens_max)
        except GraphQLError as error:
            if "Parsing aborted" in error.message:
                message = f"A document has at most {self._settings.query_tokens_max} tokens: ask for less at once."
                raise ApiError(ErrorCode.QUERY_TOO_COMPLEX, message) from error
            raise


class InvalidDocument(Exception):
    """A request that is not executed, since its document or its variables do not fit the schema."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class _RefuseNul(Visitor):
    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if "\x00" in node.value:
            raise nul_refused()


def nul_refused() -> ApiError:
    """PostgreSQL stores no NUL, so none is taken anywhere."""
    return ApiError(ErrorCode.BAD_USER_INPUT, "Text holds no NUL character: take it out.")


class _RefuseWaiting(Visitor):
    """What must be read anew for each object cannot be in an event that one execution makes for thousands."""

    def __init__(self, schema: GraphQLSchema, info: TypeInfo) -> None:
        super().__init__()
        self._root = schema.subscription_type
        self._info = info

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        found = self._info.get_field_def()
        made_by = None if found is None else found.extensions.get("strawberry-definition")
        if made_by is not None and made_by.is_async and self._info.get_parent_type() is not self._root:
            message = f"A stream cannot show {node.name.value!r}, which has to be looked up: ask for it by a query."
            raise ApiError(ErrorCode.BAD_USER_INPUT, message)


def _check_subscription(schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
    """A stream is known by its one field, so no fragment or directive may stand between; and all of it is at hand."""
    selections = node.selection_set.selections
    if len(selections) != 1 or not isinstance(selections[0], FieldNode) or selections[0].directives:
        raise ApiError(ErrorCode.BAD_USER_INPUT, "A subscription selects one field, by itself and without directives.")
    info = TypeInfo(schema)
    asked = separate_operations(document)[node.name.value if node.name else ""]
    visit(asked, TypeInfoVisitor(info, _RefuseWaiting(schema, info)))


def _find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
    if len(named) != 1:
        problem = f"There is no operation {name!r} in the document." if name else "Say which operation: operationName."
        raise ApiError(ErrorCode.BAD_USER_INPUT, problem)
    if not named[0].selection_set.selections:
        raise ApiError(ErrorCode.BAD_USER_INPUT, "The operation asks for nothing: select a field.")
    return named[0]
