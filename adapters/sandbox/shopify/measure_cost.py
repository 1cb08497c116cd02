"""Query cost and the bucket it is paid from.

Documented by the vendor: a scalar costs 0, an object 1, a mutation 10, a connection 2 plus its entries. A list with
a `first` is priced by it too; that is a guess. The
requested cost is priced from the page sizes before execution, the actual one from what came back; the
difference is given back. What a plan's bucket holds is configured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

MUTATION_POINTS = 10
CONNECTION_POINTS = 2

# The value before execution: priced by what is asked for instead of by what came back.
UNKNOWN: Any = object()


@dataclass(frozen=True, slots=True)
class Meter:
    """Prices one operation, before (`price()`) and after (`price(data)`) it ran."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]

    def price(self, data: Any = UNKNOWN) -> int:
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        return self._price_selections(root, self.operation.selection_set, data, 1)

    def _price_selections(self, parent: Any, selections: SelectionSetNode, value: Any, count: int) -> int:
        total, widest = 0, 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                total += self._price_field(parent, selection, value, count)
            else:
                points = self._price_fragment(parent, selection, value, count)
                # Of an interface's fragments only one can match: the dearest counts.
                if isinstance(parent, GraphQLInterfaceType) and value is UNKNOWN:
                    widest = max(widest, points)
                else:
                    total += points
        return total + widest

    def _price_fragment(self, parent: Any, selection: Any, value: Any, count: int) -> int:
        fragment: InlineFragmentNode | FragmentDefinitionNode = selection
        if isinstance(selection, FragmentSpreadNode):
            fragment = next(
                node for node in self.document.definitions
                if isinstance(node, FragmentDefinitionNode) and node.name.value == selection.name.value
            )  # fmt: skip
        condition = fragment.type_condition
        inner = self.schema.type_map[condition.name.value] if condition else parent
        return self._price_selections(inner, fragment.selection_set, value, count)

    def _price_field(self, parent: Any, node: FieldNode, value: Any, count: int) -> int:
        definition = parent.fields.get(node.name.value)
        if definition is None or is_leaf_type(get_named_type(definition.type)):
            return 0
        if parent is self.schema.mutation_type:
            return MUTATION_POINTS
        assert node.selection_set is not None
        own = value if value is UNKNOWN else value.get(_response_key(node)) if value else None
        if own is None:
            return 0
        named = get_named_type(definition.type)
        assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
        if named.name.endswith("Connection"):
            return CONNECTION_POINTS + self._price_selections(named, node.selection_set, own, self._page_size(node))
        each = self._object_points(named)
        if isinstance(own, list):
            return sum(
                each + self._price_selections(named, node.selection_set, entry, 1) for entry in own if entry is not None
            )
        times = self._times(parent, node, count) if own is UNKNOWN else 1
        return times * (each + self._price_selections(named, node.selection_set, own, 1))

    @staticmethod
    def _object_points(named: Any) -> int:
        return 0 if named.name == "PageInfo" or named.name.endswith("Edge") else 1

    def _times(self, parent: Any, node: FieldNode, count: int) -> int:
        if parent.name.endswith("Connection"):
            return 1 if node.name.value == "pageInfo" else count
        if parent is self.schema.query_type and node.name.value == "nodes":
            return self._count_ids(node)
        return self._page_size(node) or 1

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    given = self._variable(argument.value)
                    if isinstance(given, int):
                        return given
        return 0

    def _count_ids(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if isinstance(argument.value, ListValueNode):
                return len(argument.value.values)
            if isinstance(argument.value, VariableNode):
                given = self._variable(argument.value)
                return len(given) if isinstance(given, list) else 1
        return 1

    def _variable(self, node: VariableNode) -> Any:
        name = node.name.value
        if name in self.variables:
            return self.variables[name]
        for definition in self.operation.variable_definitions or ():
            default = definition.default_value
            if definition.variable.name.value == name and isinstance(default, IntValueNode):
                return int(default.value)
        return None


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


@dataclass(slots=True)
class Bucket:
    """Points that refill at `restore_rate` per second up to `points_max`."""

    points_max: float
    restore_rate: float
    clock: Callable[[], float] = time.monotonic
    points: float = field(init=False)
    filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.points, self.filled_at = self.points_max, self.clock()

    def _refill(self) -> None:
        at = self.clock()
        self.points = min(self.points_max, self.points + (at - self.filled_at) * self.restore_rate)
        self.filled_at = at

    def take(self, points: int) -> bool:
        """False, and nothing taken, when there is not enough."""
        self._refill()
        if points > self.points:
            return False
        self.points -= points
        return True

    def give_back(self, points: int) -> None:
        self._refill()
        self.points = min(self.points_max, self.points + points)

    def render(self) -> dict[str, float]:
        """extensions.cost.throttleStatus."""
        self._refill()
        return {
            "maximumAvailable": float(self.points_max),
            "currentlyAvailable": int(self.points),
            "restoreRate": float(self.restore_rate),
        }
