"""The @idempotent(key:) directive: optional in the schema, required at run time since 2026-04."""

from __future__ import annotations

from graphql import GraphQLError, get_directive_values

from adapters.sandbox.shopify.context import Info

KEY_LENGTH_MAX = 255


def read_key(info: Info) -> str:
    """The key on this field. Raises GraphQLError BAD_REQUEST when it is missing, empty or too long."""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    values = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if values is None:
        raise GraphQLError(
            "The @idempotent directive is required for this mutation but was not provided.",
            extensions={"code": "BAD_REQUEST"},
        )
    key = str(values["key"])
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise GraphQLError(
            f"The idempotency key must have 1 to {KEY_LENGTH_MAX} characters.",
            extensions={"code": "BAD_REQUEST"},
        )
    return key
