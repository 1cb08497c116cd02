"""How much one document may ask for: depth, aliases, tokens and cost.

The cost of a field is 1 for each object or list it returns plus the cost of what is selected below; below a
field with `first` (or a connection's default page) everything counts that many times. Leaves are free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from api.errors import ApiError, ErrorCode
from app.settings import Settings

PAGE_DEFAULT = 50
PAGE_MAX = 250


@dataclass(frozen=True, slots=True)
class Measure:
    """What one operation asks for; `variable` when the cost depends on the variables given."""

    depth: int
    aliases: int
    cost: int
    variable: bool


@dataclass(slots=True)
class _Walk:
    schema: GraphQLSchema
    fragments: dict[str, FragmentDefinitionNode]
    variables: dict[str, Any]
    aliases: int = 0
    depth: int = 0
    variable: bool = False
    fields: int = 0

    def cost(self, selections: SelectionSetNode, parent: Any, depth: int) -> int:
        total = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total += self._field(node, parent, depth + 1)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                total += self.cost(
                    fragment.selection_set, self.schema.get_type(fragment.type_condition.name.value), depth
                )
            else:
                condition = getattr(node, "type_condition", None)
                kind = parent if condition is None else self.schema.get_type(condition.name.value)
                total += self.cost(node.selection_set, kind, depth)  # type: ignore[attr-defined]
        return total

    def _field(self, node: FieldNode, parent: Any, depth: int) -> int:
        self.depth = max(self.depth, depth)
        self.aliases += node.alias is not None
        self.fields += 1
        if node.name.value.startswith("__") and node.name.value == "__typename":
            return 0
        definition = self.schema.get_field(parent, node.name.value) if isinstance(parent, GraphQLObjectType) else None
        kind = get_named_type(definition.type) if definition is not None else None
        if node.selection_set is None or kind is None or is_leaf_type(kind):
            return 0
        below = self.cost(node.selection_set, kind, depth)
        if definition is not None and "first" in definition.args:
            below *= self._page(node)
        return 1 + below

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value != "first":
                continue
            if isinstance(argument.value, IntValueNode):
                return max(0, min(int(argument.value.value), PAGE_MAX))
            if isinstance(argument.value, VariableNode):
                self.variable = True
                value = self.variables.get(argument.value.name.value)
                return max(0, min(value, PAGE_MAX)) if isinstance(value, int) else PAGE_DEFAULT
        return PAGE_DEFAULT


def measure_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
) -> Measure:
    """Walk a validated operation once."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    walk = _Walk(schema, fragments, variables)
    root = schema.get_root_type(operation.operation)
    cost = walk.cost(operation.selection_set, root, 0)
    return Measure(walk.depth, walk.aliases, cost, walk.variable)


def check_measure(measure: Measure, settings: Settings) -> None:
    """Raises `ApiError` QUERY_TOO_COMPLEX, saying which limit and by how much."""
    for name, value, limit in (
        ("depth", measure.depth, settings.query_depth_max),
        ("number of aliases", measure.aliases, settings.query_aliases_max),
        ("cost", measure.cost, settings.query_cost_max),
    ):
        if value > limit:
            raise ApiError(
                ErrorCode.QUERY_TOO_COMPLEX,
                f"The {name} of this operation is {value}, at most {limit} is allowed: ask for less at once.",
            )
