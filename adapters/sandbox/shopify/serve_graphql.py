"""POST /admin/api/2026-07/graphql.json: authenticate, price, pay, execute, give the difference back."""

from __future__ import annotations

import asyncio
import hmac
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.respond import CutResponse, JsonResponse
from adapters.sandbox.shopify.config import API_VERSION
from adapters.sandbox.shopify.context import Context
from adapters.sandbox.shopify.grant_tokens import end_token, opens_api
from adapters.sandbox.shopify.inject_faults import FaultKind, Faults
from adapters.sandbox.shopify.measure_cost import Bucket, Meter
from adapters.sandbox.shopify.state import State

DOCUMENTS_MAX = 256
BODY_BYTES_MAX = 2_000_000
ARRAY_MAX = 250

RATE_LIMITS_URL = "https://shopify.dev/api/usage/rate-limits"


@dataclass(slots=True)
class AdminApi:
    """The endpoint and what it needs. One bucket: the sandbox has one app and one store."""

    state: State
    faults: Faults
    schema: GraphQLSchema
    bucket: Bucket
    documents: OrderedDict[str, DocumentNode | list[GraphQLError]] = field(default_factory=OrderedDict)

    async def answer(self, request: Request) -> Response:
        if request.path_params["version"] != API_VERSION:
            return JsonResponse({"errors": "Not Found"}, 404)
        if self.faults.strike(FaultKind.TOKEN_EXPIRED):
            end_token(self.state)
        if not opens_api(self.state, request.headers.get("x-shopify-access-token", "")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JsonResponse({"errors": message}, 401)
        late = self.faults.strike(FaultKind.LATENCY)
        if late:
            await asyncio.sleep(late.seconds)
        if self.faults.strike(FaultKind.SERVER_ERROR):
            return JsonResponse({"errors": "Internal Server Error"}, 500)
        payload = _read_payload(await request.body())
        if payload is None:
            return JsonResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        body = await self._run(payload)
        lost = "data" in body and self._lose(payload["query"])
        response = CutResponse(body) if lost else JsonResponse(body)
        response.headers["X-Shopify-API-Version"] = API_VERSION
        response.headers["X-Request-Id"] = str(uuid.uuid4())
        return response

    def _lose(self, query: str) -> bool:
        write = query.lstrip().startswith("mutation")
        struck = self.faults.strike(FaultKind.LOST_REPLY) or (write and self.faults.strike(FaultKind.LOST_WRITE))
        return bool(struck)

    async def _run(self, payload: dict[str, Any]) -> dict[str, Any]:
        document = self._read_document(payload["query"])
        if isinstance(document, list):
            return {"errors": [error.formatted for error in document]}
        operation = get_operation_ast(document, payload.get("operationName"))
        if operation is None:
            return {"errors": [{"message": "An operation name is required"}]}
        variables = payload.get("variables") or {}
        too_long = next((size for size in _array_sizes(document, variables) if size > ARRAY_MAX), None)
        if too_long is not None:
            return _refuse_array(too_long)
        return await self._pay_and_execute(document, operation, variables)

    def _read_document(self, query: str) -> DocumentNode | list[GraphQLError]:
        """Parsed and validated once per text; what is wrong with it is remembered too."""
        known = self.documents.get(query)
        if known is None:
            try:
                document = parse(query, no_location=False, max_tokens=10_000)
                known = validate(self.schema, document) or document
            except GraphQLError as error:
                known = [error]
            self.documents[query] = known
            if len(self.documents) > DOCUMENTS_MAX:
                self.documents.popitem(last=False)
        return known

    async def _pay_and_execute(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
    ) -> dict[str, Any]:
        meter = Meter(self.schema, document, operation, variables)
        requested = meter.price()
        if requested > self.state.config.query_points_max:
            return self._refuse_cost(requested)
        if self.faults.strike(FaultKind.THROTTLED) or not self.bucket.take(requested):
            return self._throttle(requested)
        outcome = execute(
            self.schema,
            document,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            context_value=Context(self.state, self.faults),
        )
        result: ExecutionResult = outcome if isinstance(outcome, ExecutionResult) else await outcome
        actual = min(requested, meter.price(result.data))
        self.bucket.give_back(requested - actual)
        return {**_format(result), "extensions": {"cost": self._cost(requested, actual)}}

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.render(),
        }

    def _throttle(self, requested: int) -> dict[str, Any]:
        error = {
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": RATE_LIMITS_URL},
        }
        return {"errors": [error], "extensions": {"cost": self._cost(requested, None)}}

    def _refuse_cost(self, requested: int) -> dict[str, Any]:
        points_max = self.state.config.query_points_max
        message = f"Query cost is {requested}, which exceeds the single query max cost limit ({points_max})."
        code = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": points_max}
        error = {"message": message, "extensions": {**code, "documentation": RATE_LIMITS_URL}}
        return {"errors": [error], "extensions": {"cost": self._cost(requested, None)}}


def is_authorized(request: Request, token: str) -> bool:
    given = request.headers.get("x-shopify-access-token", "")
    return hmac.compare_digest(given.encode(), token.encode())


def _read_payload(body: bytes) -> dict[str, Any] | None:
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return None
    if not isinstance(payload.get("variables"), dict | None):
        return None
    return payload


def _format(result: ExecutionResult) -> dict[str, Any]:
    if result.errors:
        return {"data": result.data, "errors": [error.formatted for error in result.errors]}
    return {"data": result.data}


def _refuse_array(size: int) -> dict[str, Any]:
    message = f"The input array size of {size} is greater than the maximum allowed of {ARRAY_MAX}."
    return {"errors": [{"message": message, "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"}}]}


def _array_sizes(document: DocumentNode, variables: Any) -> Iterator[int]:
    """The size of every array a client can send: in its variables and in the text."""
    yield from _value_sizes(variables)
    stack: list[Node] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, ListValueNode):
            yield len(node.values)
        for key in node.keys:
            child = getattr(node, key, None)
            stack += [child] if isinstance(child, Node) else []
            stack += [entry for entry in child if isinstance(entry, Node)] if isinstance(child, tuple) else []


def _value_sizes(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from _value_sizes(entry)
    elif isinstance(value, list):
        yield len(value)
        for entry in value:
            yield from _value_sizes(entry)
