"""Operations made from the schema itself: for each root field the smallest document that is valid."""

from __future__ import annotations

from collections import deque
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLNonNull,
    Undefined,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)

from api.directives import requirement_of
from api.schema import core

ROOTS = {"Query": core.query_type, "Mutation": core.mutation_type, "Subscription": core.subscription_type}
EXAMPLES: dict[str, Any] = {
    "Int": 1,
    "Float": 1.5,
    "String": "x",
    "Boolean": True,
    "ID": "x",
    "DateTime": "2026-01-01T00:00:00Z",
    "Decimal": "1.50",
    "CurrencyCode": "EUR",
    "JSON": {"name": "x", "rules": [{"name": "x"}]},
}


def root_fields() -> list[tuple[str, str]]:
    """(root, field) of everything a client can ask for."""
    return [(root, name) for root, kind in ROOTS.items() if kind is not None for name in kind.fields]


def guarded_fields() -> list[tuple[str, str]]:
    """(type, field) of what is below the roots and not for everybody who may ask for the rest."""
    kinds = [kind for kind in core.type_map.values() if is_object_type(kind) and kind not in ROOTS.values()]
    return [(k.name, name) for k in kinds for name, field in k.fields.items() if requirement_of(field) is not None]


def reach(kind_name: str, name: str) -> str:
    """The shortest query for a field of a type, from a root field that needs no argument."""
    paths: deque[tuple[Any, tuple[str, ...]]] = deque([(core.query_type, ())])
    seen = set()
    while paths:
        kind, path = paths.popleft()
        for step, field in kind.fields.items():
            below = get_named_type(field.type)
            if (kind.name, step) == (kind_name, name):
                leaf = [] if is_leaf_type(below) else ["__typename"]
                return " { ".join(("", *path, step, *leaf)) + " }" * (len(path) + 1 + len(leaf))
            if is_object_type(below) and below not in seen and not any(map(is_required, field.args.values())):
                seen.add(below)
                paths.append((below, (*path, step)))
    raise LookupError(f"no query reaches {kind_name}.{name}")


def field_of(root: str, name: str) -> GraphQLField:
    kind = ROOTS[root]
    assert kind is not None
    return kind.fields[name]


def example(kind: Any) -> Any:
    """A valid value; of an input object only what is required."""
    if isinstance(kind, GraphQLNonNull):
        return example(kind.of_type)
    if is_list_type(kind):
        return [example(kind.of_type)]
    if is_enum_type(kind):
        return next(iter(kind.values))
    if is_input_object_type(kind):
        return {name: example(field.type) for name, field in kind.fields.items() if is_required(field)}
    return EXAMPLES[kind.name]


def is_required(argument: Any) -> bool:
    """Whether an argument or an input field must be given."""
    return isinstance(argument.type, GraphQLNonNull) and default_of(argument) is None


def default_of(argument: Any) -> Any:
    return next(
        (
            given
            for name in ("default", "default_value")
            if (given := getattr(argument, name, Undefined)) is not Undefined and given is not None
        ),
        None,
    )


def operation_of(root: str, name: str, selection: str | None = None) -> str:
    """A document that asks for one root field, its required arguments as variables of the same names."""
    field = field_of(root, name)
    wanted = {argument: given for argument, given in field.args.items() if is_required(given)}
    heads = ", ".join(f"${argument}: {given.type}" for argument, given in wanted.items())
    values = ", ".join(f"{argument}: ${argument}" for argument in wanted)
    below = "" if is_leaf_type(get_named_type(field.type)) else f" {{ {selection or '__typename'} }}"
    head, call = (f"({heads})" if heads else ""), (f"({values})" if values else "")
    return f"{root.lower()}{head} {{ {name}{call}{below} }}"


def variables_of(root: str, name: str) -> dict[str, Any]:
    return {key: example(given.type) for key, given in field_of(root, name).args.items() if is_required(given)}
