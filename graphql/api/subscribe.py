"""Opening a stream for one request, whatever carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationType
from graphql.execution.values import get_argument_values

from api.context import Context
from api.directives import check_requirement
from api.documents import Operation
from api.errors import ApiError, ErrorCode
from api.execute import build_executor
from api.member import Member
from api.outlet import Outlet
from api.schema import REQUIREMENTS, core

if TYPE_CHECKING:
    from api.http import Api


async def open_stream(
    api: Api, operation: Operation, variables: dict[str, Any], context: Context, outlet: Outlet
) -> Member:
    """A member of the stream asked for. Raises `GraphQLError` or `Refusal`."""
    assert operation.kind is OperationType.SUBSCRIPTION
    executor = build_executor(core, operation, variables, context)
    if isinstance(executor, list):
        raise executor[0]
    field = operation.root_field
    check_requirement(REQUIREMENTS["Subscription", field], context.principal, field)
    assert core.subscription_type is not None
    node: Any = operation.node.selection_set.selections[0]
    try:
        arguments = get_argument_values(core.subscription_type.fields[field], node, executor.variable_values)
    except GraphQLError as error:
        raise ApiError(ErrorCode.BAD_USER_INPUT, error.message) from error
    return await api.streams.open(operation, executor, arguments, context, outlet)
