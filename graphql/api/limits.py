"""How much one operation may ask for: depth, aliases and cost. The parser counts tokens.

A field that gives an object or a list costs 1, a leaf nothing, unless its `@cost` says otherwise; the lists of a
field with `first` (`nodes`, `edges`) count that many times, with all below them. A fragment is measured once,
however often it is spread: a document that doubles one a hundred times is refused as quickly as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
)

from api.directives import Cost, Requires, requirement_of
from api.errors import ApiError, ErrorCode
from app.settings import Settings

PAGE_DEFAULT = 50
PAGE_MAX = 250
SHOWN_MAX = 10**12
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Measure:
    """What one operation asks for; `variable` when the cost depends on the variables given.

    `guarded`: fields below the root that not everybody may see, as in `Sku.unitCost`, and what they require.
    """

    depth: int = 0
    aliases: int = 0
    cost: int = 0
    variable: bool = False
    introspects: bool = False
    guarded: Mapping[str, Requires] = field(default_factory=dict)

    def plus(self, other: Measure) -> Measure:
        """Side by side."""
        return Measure(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.cost + other.cost,
            self.variable or other.variable,
            self.introspects or other.introspects,
            {**self.guarded, **other.guarded},
        )


@dataclass(slots=True)
class _Walk:
    schema: GraphQLSchema
    fragments: dict[str, FragmentDefinitionNode]
    variables: dict[str, Any]
    measured: dict[tuple[str, int], Measure] = field(default_factory=dict)

    def measure(self, selections: SelectionSetNode, parent: Any, times: int = 1) -> Measure:
        """`times`: how many entries each list right here has."""
        total = Measure()
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total = total.plus(self._field(node, parent, times))
            elif isinstance(node, FragmentSpreadNode):
                total = total.plus(self._fragment(node.name.value, times))
            else:
                condition = node.type_condition  # type: ignore[attr-defined]
                kind = parent if condition is None else self.schema.get_type(condition.name.value)
                total = total.plus(self.measure(node.selection_set, kind, times))  # type: ignore[attr-defined]
        return total

    def _fragment(self, name: str, times: int) -> Measure:
        known = self.measured.get((name, times))
        if known is None:
            fragment = self.fragments[name]
            kind = self.schema.get_type(fragment.type_condition.name.value)
            known = self.measured[name, times] = self.measure(fragment.selection_set, kind, times)
        return known

    def _field(self, node: FieldNode, parent: Any, times: int) -> Measure:
        aliases = int(node.alias is not None)
        name = node.name.value
        definition = self.schema.get_field(parent, name) if is_composite_type(parent) else None
        kind = None if definition is None else get_named_type(definition.type)
        guarded = {} if definition is None else self._guarded(parent, name, definition)
        if definition is None or kind is None or node.selection_set is None:
            return Measure(1, aliases, 0 if definition is None else cost_of(definition), guarded=guarded)
        entries, variable = self._page(node) if "first" in definition.args else (1, False)
        below = self.measure(node.selection_set, kind, entries)
        if name in INTROSPECTION:  # deep by nature, and limited by a rule of its own
            return Measure(1, aliases + below.aliases, 1 + below.cost, below.variable, True)
        cost = (cost_of(definition) + below.cost) * (times if is_list_type(get_nullable_type(definition.type)) else 1)
        guarded = {**guarded, **below.guarded}
        several = variable or below.variable
        return Measure(1 + below.depth, aliases + below.aliases, cost, several, below.introspects, guarded)

    def _guarded(self, parent: Any, name: str, definition: GraphQLField) -> dict[str, Requires]:
        """Root fields check for themselves, so that the others of an operation are answered."""
        roots = (self.schema.query_type, self.schema.mutation_type, self.schema.subscription_type)
        requirement = None if parent in roots else requirement_of(definition)
        return {} if requirement is None else {f"{parent.name}.{name}": requirement}

    def _page(self, node: FieldNode) -> tuple[int, bool]:
        """How many entries are asked for, and whether a variable says so."""
        for argument in node.arguments or ():
            if argument.name.value != "first":
                continue
            if isinstance(argument.value, IntValueNode):
                return _bounded(int(argument.value.value)), False
            if isinstance(argument.value, VariableNode):
                value = self.variables.get(argument.value.name.value, PAGE_DEFAULT)
                return _bounded(value if isinstance(value, int) else PAGE_MAX), True
        return PAGE_DEFAULT, False


def _bounded(first: int) -> int:
    return max(0, min(first, PAGE_MAX))


def cost_of(definition: GraphQLField) -> int:
    """What a field costs by itself."""
    described: Any = definition.extensions.get("strawberry-definition")
    for directive in getattr(described, "directives", ()):
        if isinstance(directive, Cost):
            return directive.weight
    return int(not is_leaf_type(get_named_type(definition.type)))


def measure_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
) -> Measure:
    """Walk a validated operation once."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    given = _defaults(operation) | variables
    walk = _Walk(schema, fragments, given)
    return walk.measure(operation.selection_set, schema.get_root_type(operation.operation))


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    return {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }


def check_measure(measure: Measure, settings: Settings) -> None:
    """Raises `ApiError` QUERY_TOO_COMPLEX, saying which limit and by how much."""
    for name, value, limit in (
        ("depth", measure.depth, settings.query_depth_max),
        ("number of aliases", measure.aliases, settings.query_aliases_max),
        ("cost", measure.cost, settings.query_cost_max),
    ):
        if value > limit:
            shown = str(value) if value < SHOWN_MAX else f"over {SHOWN_MAX:,}"
            raise ApiError(
                ErrorCode.QUERY_TOO_COMPLEX,
                f"The {name} of this operation is {shown}, at most {limit} is allowed: ask for less at once.",
            )
