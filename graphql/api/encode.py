"""From an event's object to the `payload` of a stream: the selection compiled once, then executed per event."""

from __future__ import annotations

from typing import Any

import orjson
from graphql import FieldNode

from api.documents import Operation
from api.errors import format_error
from api.execute import NotPlain, Plan, PlanExecutor


class EventEncoder:
    """Of one subscription and one set of variables."""

    def __init__(self, operation: Operation, executor: PlanExecutor) -> None:
        node = operation.node.selection_set.selections[0]
        assert isinstance(node, FieldNode)
        self._executor = executor
        self._name = node.alias.value if node.alias else node.name.value
        self._plan = _compile(operation, executor, node)

    def encode(self, value: Any) -> bytes:
        if self._plan is not None:
            try:
                return orjson.dumps({"data": {self._name: self._plan(value)}})
            except Exception:  # noqa: S110 graphql-core meets it again and words it
                pass
        return self._execute(value)

    def _execute(self, value: Any) -> bytes:
        executor: Any = self._executor.build_per_event_executor(value)
        executor._relevant_sub_fields = {}  # else each event would leave its own in the one they all share
        result = executor.execute_operation(False)
        encoded: dict[str, Any] = {"data": result.data}
        if result.errors:
            encoded["errors"] = [format_error(error, "stream") for error in result.errors]
        return orjson.dumps(encoded)


def _compile(operation: Operation, executor: PlanExecutor, node: FieldNode) -> Plan | None:
    root = executor.schema.subscription_type
    assert root is not None
    try:
        return executor.compile_root(operation, node, root.fields[node.name.value])
    except NotPlain:
        return None
