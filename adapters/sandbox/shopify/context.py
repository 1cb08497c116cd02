"""What every resolver is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo

from adapters.sandbox.shopify.inject_faults import Faults
from adapters.sandbox.shopify.state import State


@dataclass(frozen=True, slots=True)
class Context:
    state: State
    faults: Faults


Info: TypeAlias = GraphQLResolveInfo[Context]


def state_of(info: Info) -> State:
    return info.context.state


def resolve_by_id(find: Callable[[State, Any], Any]) -> Callable[..., Any]:
    """A resolver of a field that takes an id and answers what `find` finds, or null."""
    return lambda source, info, **args: find(state_of(info), args.get("id"))
