"""Operations compiled into one function: variables to inputs, the resolver, its object to the answer.

Most of what dashboards, tablets and shops send is one root field whose arguments are variables and whose
answer is plain data. Such an operation needs no executor: its shape was validated once, so coercion, call and
completion are put together once too. Whatever does not fit (directives, literals, resolvers below the root) is
left to graphql-core, and so is every variable that does not fit its type: graphql-core words the error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLNonNull,
    GraphQLSchema,
    OperationType,
    Undefined,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_scalar_type,
    type_from_ast,
)
from strawberry.schema.name_converter import NameConverter

from api.directives import Requires, check_requirement
from api.documents import Operation
from api.execute import NotPlain, Plan, PlanExecutor, build_executor, execute_operation

INT_MAX = 2**31 - 1
Coerce = Callable[[Any], Any]


class Mismatch(Exception):
    """A variable does not fit its type: graphql-core says how."""


@dataclass(slots=True)
class RootCall:
    """What a compiled resolver gets as its `info`."""

    context: Any


@dataclass(slots=True)
class CompiledOperation:
    """One root field, ready to run."""

    response_name: str
    field_name: str
    node: FieldNode
    nullable: bool
    requirement: Requires
    resolver: Callable[..., Any]
    variables: list[tuple[str, str, bool, Coerce]]
    """(variable, parameter, required, coercion)"""
    known: frozenset[str]
    plan: Plan

    async def run(self, variables: dict[str, Any], context: Any) -> ExecutionResult:
        """Raises `Mismatch` before anything happened; every other failure is in the result."""
        if not self.known.issuperset(variables):
            raise Mismatch
        arguments = {}
        for name, parameter, required, coerce in self.variables:
            if name in variables:
                arguments[parameter] = coerce(variables[name])
            elif required:
                raise Mismatch
        try:
            check_requirement(self.requirement, context.principal, self.field_name)
            value = await self.resolver(None, RootCall(context), **arguments)
            return ExecutionResult({self.response_name: self.plan(value)}, None)
        except NotPlain as error:
            problem: Exception = RuntimeError(f"{self.field_name} gave null where none may be")
            problem.__cause__ = error
        except Exception as error:
            problem = error
        located = GraphQLError(str(problem), [self.node], path=[self.response_name], original_error=problem)
        return ExecutionResult({self.response_name: None} if self.nullable else None, [located])


def compile_operation(
    schema: GraphQLSchema, operation: Operation, requirements: dict[tuple[str, str], Requires]
) -> CompiledOperation | None:
    """The compiled operation, or None when graphql-core is to execute it."""
    selections = operation.node.selection_set.selections
    if operation.kind is OperationType.SUBSCRIPTION or "@" in operation.text or len(selections) != 1:
        return None
    node = selections[0]
    parent = schema.get_root_type(operation.kind)
    if not isinstance(node, FieldNode) or parent is None or node.name.value not in parent.fields:
        return None
    definition = parent.fields[node.name.value]
    try:
        variables = _variables(schema, operation, node, definition)
        plan = _plan(schema, operation, node, definition)
    except NotPlain:
        return None
    field: Any = definition.extensions["strawberry-definition"]
    return CompiledOperation(
        response_name=node.alias.value if node.alias else node.name.value,
        field_name=node.name.value,
        node=node,
        nullable=not isinstance(definition.type, GraphQLNonNull),
        requirement=requirements[parent.name, node.name.value],
        resolver=field.base_resolver.wrapped_func,
        variables=variables,
        known=frozenset(name for name, *_ in variables),
        plan=plan,
    )


async def run_operation(
    schema: GraphQLSchema,
    operation: Operation,
    variables: dict[str, Any],
    context: Any,
    requirements: dict[tuple[str, str], Requires],
) -> ExecutionResult:
    """Execute a query or mutation, compiled where that is possible."""
    if not operation.tried_to_compile:
        operation.compiled = compile_operation(schema, operation, requirements)
        operation.tried_to_compile = True
    if operation.compiled is not None:
        try:
            result: ExecutionResult = await operation.compiled.run(variables, context)
        except Mismatch:
            pass
        else:
            return result
    return await execute_operation(schema, operation, variables, context)


def _plan(schema: GraphQLSchema, operation: Operation, node: FieldNode, definition: GraphQLField) -> Plan:
    executor: Any = build_executor(schema, operation, {}, None, unchecked=True)
    assert isinstance(executor, PlanExecutor)
    return executor.compile_root(operation, node, definition)


def _variables(
    schema: GraphQLSchema, operation: Operation, node: FieldNode, definition: GraphQLField
) -> list[tuple[str, str, bool, Coerce]]:
    definitions = {one.variable.name.value: one for one in operation.node.variable_definitions or ()}
    if any(one.default_value is not None for one in definitions.values()):
        raise NotPlain
    field: Any = definition.extensions.get("strawberry-definition")
    if field is None or field.base_resolver is None or not field.base_resolver.is_async:
        raise NotPlain
    parameters = {field_argument_name(argument): argument.python_name for argument in field.arguments}
    found = []
    for argument in node.arguments or ():
        if not isinstance(argument.value, VariableNode):
            raise NotPlain
        name = argument.value.name.value
        kind = type_from_ast(schema, definitions[name].type)
        required = isinstance(definition.args[argument.name.value].type, GraphQLNonNull)
        parameter = parameters[argument.name.value]
        found.append((name, parameter, required or isinstance(kind, GraphQLNonNull), compile_input(kind)))
    if len({name for name, *_ in found}) != len(definitions) or len(found) != len(definitions):
        raise NotPlain
    return found


def field_argument_name(argument: Any) -> str:
    """The GraphQL name of a resolver's parameter."""
    name: str = argument.graphql_name or NameConverter().apply_naming_config(argument.python_name)
    return name


def compile_input(kind: Any) -> Coerce:
    """A function from JSON to what a resolver takes; it raises `Mismatch` for anything out of the ordinary."""
    if isinstance(kind, GraphQLNonNull):
        return _required(compile_input(kind.of_type))
    return _nullable(_compile_present(kind))


def _compile_present(kind: Any) -> Coerce:
    if is_list_type(kind):
        item = compile_input(kind.of_type)
        return lambda value: [item(one) for one in value] if type(value) is list else _mismatch()
    if is_input_object_type(kind):
        return _compile_object(kind)
    if is_enum_type(kind):
        return _compile_enum(kind)
    if is_scalar_type(kind):
        return _SCALARS.get(kind.name) or _parse_with(kind)
    raise NotPlain


def _compile_object(kind: Any) -> Coerce:
    definition: Any = kind.extensions["strawberry-definition"]
    names = {name: field.extensions["strawberry-definition"].python_name for name, field in kind.fields.items()}
    coercions = {name: (names[name], compile_input(field.type)) for name, field in kind.fields.items()}
    required = frozenset(
        name
        for name, field in kind.fields.items()
        if isinstance(field.type, GraphQLNonNull) and not _has_default(field)
    )
    make = definition.origin

    def coerce(value: Any) -> Any:
        if type(value) is not dict or not required <= value.keys():
            raise Mismatch
        arguments = {}
        for name, given in value.items():
            known = coercions.get(name)
            if known is None:
                raise Mismatch
            arguments[known[0]] = known[1](given)
        return make(**arguments)

    return coerce


def _has_default(field: Any) -> bool:
    return field.default_value is not Undefined or getattr(field, "default", None) is not None


def _compile_enum(kind: Any) -> Coerce:
    members = {name: kind.extensions["strawberry-definition"].wrapped_cls[name] for name in kind.values}

    def coerce(value: Any) -> Any:
        if type(value) is not str or value not in members:
            raise Mismatch
        return members[value]

    return coerce


def _parse_with(kind: Any) -> Coerce:
    def coerce(value: Any) -> Any:
        try:
            return kind.parse_value(value)
        except Exception as error:
            raise Mismatch from error

    return coerce


def _mismatch() -> Any:
    raise Mismatch


def _required(coerce: Coerce) -> Coerce:
    return lambda value: _mismatch() if value is None else coerce(value)


def _nullable(coerce: Coerce) -> Coerce:
    return lambda value: None if value is None else coerce(value)


def _int(value: Any) -> int:
    if type(value) is not int or not -INT_MAX - 1 <= value <= INT_MAX:
        raise Mismatch
    return value


def _string(value: Any) -> str:
    if type(value) is not str:
        raise Mismatch
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Mismatch
    return value


_SCALARS: dict[str, Coerce] = {"Int": _int, "String": _string, "ID": _string, "Boolean": _boolean}
