"""`@requires`: printed in the SDL and enforced from the same object.

A root field checks it before it resolves. A field further down is checked before anything of its operation runs, so
that whoever may not see it is told so, instead of a null that reads like "unknown".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from strawberry.schema_directive import Location

from api.errors import ApiError, ErrorCode
from domain.identity import Role

strawberry.enum(Role, name="Role", description="What a person or system is employed for.")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="requires",
    description="The caller needs one of `roles`, and `scope` if its token is limited to scopes.",
)
class Requires:
    roles: list[Role]
    scope: str | None = None


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cost",
    description="What the field costs by itself, where that is not 1 for an object or a list and 0 for a leaf.",
)
class Cost:
    weight: int


EVERYONE = list(Role)
STAFF: list[Role] = [role for role in Role if role is not Role.PARTNER]
ACCOUNTANTS = [Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.FINANCE]
"""Who may see what units cost us: neither the floor nor a partner who works for others too."""


def requires(roles: list[Role], scope: str | None = None) -> list[object]:
    return [Requires(roles=roles, scope=scope)]


def requires_costs() -> list[object]:
    return requires(ACCOUNTANTS, "finance:read")


def requirement_of(field: GraphQLField) -> Requires | None:
    """What a field prints."""
    definition: Any = field.extensions.get("strawberry-definition")
    return next((d for d in getattr(definition, "directives", ()) if isinstance(d, Requires)), None)


def install_guard(parent: GraphQLObjectType, name: str, field: GraphQLField) -> Requires:
    """Make a root field check its own directive before it resolves or subscribes.

    Raises `TypeError` for a root field without `@requires`: such a schema is never served.
    """
    requirement = requirement_of(field)
    if requirement is None:
        raise TypeError(f"{parent.name}.{name} has no @requires directive.")
    if field.resolve is not None and parent.name != "Subscription":
        field.resolve = _guarded(field.resolve, requirement, name)
    if field.subscribe is not None:
        field.subscribe = _guarded(field.subscribe, requirement, name)
    return requirement


def check_requirement(requirement: Requires, principal: Any, name: str) -> None:
    """Raises `ApiError` FORBIDDEN unless the principal has a role and the scope."""
    if not principal.may(requirement.roles, requirement.scope):
        raise ApiError(
            ErrorCode.FORBIDDEN,
            f"{name} needs one of the roles {', '.join(requirement.roles)}"
            + (f" and the scope {requirement.scope}." if requirement.scope else "."),
        )


def _guarded(resolve: Callable[..., Any], requirement: Requires, name: str) -> Callable[..., Any]:
    roles, scope = frozenset(requirement.roles), requirement.scope

    def guarded(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if not info.context.principal.may(roles, scope):
            check_requirement(requirement, info.context.principal, name)
        return resolve(source, info, **arguments)

    return guarded
