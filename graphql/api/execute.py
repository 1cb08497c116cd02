"""Execution of prepared operations, with compiled selections where a type is plain data.

graphql-core completes every leaf of every row by itself; most of ours are attributes of objects already in
memory. `PlanExecutor` compiles such a selection once per operation into one function from object to dict, and
leaves everything that needs a resolver, an argument or an error path to graphql-core.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import collect_fields

from api.documents import InvalidDocument, Operation

Plan = Callable[[Any], Any]
AS_IS = frozenset({"String", "Int", "Boolean", "ID"})


class NotPlain(Exception):
    """This selection needs graphql-core."""


class PlanExecutor(Executor[Any]):
    """graphql-core's executor, short-cut for plain objects."""

    _plans: dict[Any, Plan | None]

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: Any,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        plan = self._plan_of(return_type, field_details_list)
        if plan is not None:
            try:
                return plan(result)
            except NotPlain:
                pass
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def _plan_of(self, kind: GraphQLObjectType, details: Any) -> Plan | None:
        try:
            plans = self._plans
        except AttributeError:
            plans = self._plans = {}
        key = (kind, id(details))
        if key not in plans:
            try:
                plans[key] = self._compile_object(kind, details)
            except NotPlain:
                plans[key] = None
        return plans[key]

    def compile_root(self, operation: Operation, node: FieldNode, definition: GraphQLField) -> Plan:
        """The plan of a root field's value. Raises `NotPlain`."""
        root = self.schema.get_root_type(operation.kind)
        assert root is not None
        grouped = collect_fields(self.schema, self.fragments, self.variable_values, root, self.operation)
        details = next(iter(grouped[0].values()))
        return self._finisher(definition.type, details) or _as_is

    def _compile_object(self, kind: GraphQLObjectType, details: Any) -> Plan:
        grouped = self.collect_subfields(kind, details)[0]
        steps = [(name, *self._compile_field(kind, fields)) for name, fields in grouped.items()]

        def complete(value: Any) -> dict[str, Any]:
            return {name: finish(read(value)) if finish is not None else read(value) for name, read, finish in steps}

        return complete

    def _compile_field(self, kind: GraphQLObjectType, fields: Any) -> tuple[Plan, Plan | None]:
        name = fields[0].node.name.value
        if name == "__typename":
            return (lambda _: kind.name), None
        definition = kind.fields.get(name)
        if definition is None or definition.args:
            raise NotPlain
        return _reader(definition), self._finisher(definition.type, fields)

    def _finisher(self, kind: Any, fields: Any) -> Plan | None:
        if isinstance(kind, GraphQLNonNull):
            inner = self._finisher(kind.of_type, fields)
            return _required(inner)
        if is_list_type(kind):
            item = self._finisher(kind.of_type, fields)
            return _optional(lambda values: [value if item is None else item(value) for value in values])
        if is_leaf_type(kind):
            return _leaf(kind)
        if is_object_type(kind):
            return _optional(self._compile_object(kind, fields))
        raise NotPlain


def _reader(definition: GraphQLField) -> Plan:
    """How a field is read off its object: an attribute, or a method of the object alone."""
    field: Any = definition.extensions.get("strawberry-definition")
    if field is None:
        raise NotPlain
    if field.base_resolver is None:
        attribute = field.python_name
        return lambda value: getattr(value, attribute)
    function = field.base_resolver.wrapped_func
    if inspect.iscoroutinefunction(function) or list(inspect.signature(function).parameters) != ["self"]:
        raise NotPlain
    return function  # type: ignore[no-any-return]


def _as_is(value: Any) -> Any:
    return value


def _leaf(kind: GraphQLLeafType) -> Plan | None:
    if kind.name in AS_IS:
        return None
    return _optional(kind.serialize)


def _optional(finish: Plan) -> Plan:
    return lambda value: None if value is None else finish(value)


def _required(finish: Plan | None) -> Plan:
    """Null where none may be is an error with a path: graphql-core's to tell."""

    def complete(value: Any) -> Any:
        if value is None:
            raise NotPlain
        return value if finish is None else finish(value)

    return complete


def build_executor(
    schema: GraphQLSchema,
    operation: Operation,
    variables: dict[str, Any],
    context: Any,
    *,
    unchecked: bool = False,
) -> PlanExecutor | list[GraphQLError]:
    """An executor for one operation, or what is wrong with its variables.

    `unchecked`: it will only compile selections, so its variables may be missing.
    """
    document = operation.document
    if unchecked:
        bare = replace(operation.node, variable_definitions=())
        rest = [node for node in document.definitions if node is not operation.node]
        document = DocumentNode(definitions=(bare, *rest))
    name = operation.node.name.value if operation.node.name else None
    return PlanExecutor.build(  # type: ignore[return-value]
        schema,
        document,
        None,
        context,
        variables,
        name,
        is_awaitable=inspect.isawaitable,  # type: ignore[arg-type]
    )


async def execute_operation(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: Any
) -> ExecutionResult:
    """Execute a query or mutation. Raises `InvalidDocument` for variables that do not fit, before anything ran."""
    executor = build_executor(schema, operation, variables, context)
    if isinstance(executor, list):
        raise InvalidDocument(executor)
    result: Any = executor.execute_operation()
    if inspect.isawaitable(result):
        result = await result
    return result  # type: ignore[no-any-return]
