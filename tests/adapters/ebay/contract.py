"""eBay's own OpenAPI documents as a judge of what goes over the wire, in both directions.

Strict where they are loose: a field that a schema does not name is a fault too. What is wrong with the documents
themselves is excepted by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).parents[4] / "shared" / "contracts" / "ebay"
DOCUMENTS = (
    "sell_inventory_v1_oas3.json",
    "sell_fulfillment_v1_oas3.json",
    "commerce_notification_v1_oas3.json",
    "developer_analytics_v1_beta_oas3.json",
)

# Defects of the documents, each checked to be still there (test_contract.py).
# 1. Enumerations of strings that are said to be objects.
ENUMS_SAID_TO_BE_OBJECTS = {
    "sell_inventory_v1_oas3.json": (
        "ConditionEnum", "FormatTypeEnum", "ListingDurationEnum", "ListingStatusEnum", "LocaleEnum", "MarketplaceEnum",
        "OfferStatusEnum",
    ),
    "sell_fulfillment_v1_oas3.json": (
        "CancelRequestStateEnum", "CancelStateEnum", "CountryCodeEnum", "CurrencyCodeEnum", "FulfillmentInstructionsType",
        "LineItemFulfillmentStatusEnum", "MarketplaceIdEnum", "OrderFulfillmentStatus", "OrderPaymentStatusEnum",
        "PaymentMethodTypeEnum", "PaymentStatusEnum", "ReasonForRefundEnum", "RefundStatusEnum", "SoldFormatEnum",
    ),
    "commerce_notification_v1_oas3.json": (
        "ContextEnum", "DestinationStatusEnum", "FormatTypeEnum", "ProtocolEnum", "ScopeEnum", "StatusEnum",
        "SubscriptionStatusEnum",
    ),
}  # fmt: skip
# 2. An item that was not found has no inventoryItem to show, though it is required.
REQUIRED_BUT_ABSENT = {"sell_inventory_v1_oas3.json": {"GetInventoryItemResponse": "inventoryItem"}}
# 3. The answer to a test is declared as an error; its own schema is there, unused.
DECLARED_AS_ERROR = {("testSubscription", "202"): "SubscriptionTestResponse"}
# 4. The Error schema is one error; every answer carries a list of them.
ERROR_SCHEMAS = {"Error", None}

LIST_JUDGED_MAX = 30

# What any API may answer before an operation is reached, documented outside of the operations.
GATEWAY_STATUSES = {401, 403, 429}
GATEWAY_ERRORS = {1001, 1002, 1100, 2001, 2004}
# Of a single item: not in the operation's list, seen by third parties when out-of-stock control is off.
ITEM_ERRORS = {25004}


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    query: str
    content_type: str | None
    body: bytes
    status: int
    answer: bytes
    cut: bool


@dataclass(frozen=True)
class Operation:
    document: str
    name: str
    method: str
    pattern: re.Pattern[str]
    raw: dict[str, Any] = field(repr=False)


@cache
def load_document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_bytes())
    return document


@cache
def corrected_document(name: str) -> dict[str, Any]:
    """The document without its defects, and strict."""
    document = json.loads(json.dumps(load_document(name)))
    schemas = document["components"]["schemas"]
    for enum in ENUMS_SAID_TO_BE_OBJECTS.get(name, ()):
        schemas[enum]["type"] = "string"
    for schema, absent in REQUIRED_BUT_ABSENT.get(name, {}).items():
        schemas[schema]["required"].remove(absent)
    for schema in schemas.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


@cache
def list_operations() -> tuple[Operation, ...]:
    found = []
    for name in DOCUMENTS:
        document = corrected_document(name)
        base = document["servers"][0]["variables"]["basePath"]["default"]
        for path, methods in document["paths"].items():
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", f"{base}{path}"))
            found += [
                Operation(name, raw["operationId"], method.upper(), pattern, raw)
                for method, raw in methods.items()
                if isinstance(raw, dict) and "operationId" in raw
            ]
    return tuple(found)


@cache
def _registry() -> Registry[Any]:
    resources = [(f"urn:{name}", DRAFT202012.create_resource(corrected_document(name))) for name in DOCUMENTS]
    return Registry().with_resources(resources)


@cache
def _validator(document: str, schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"urn:{document}#/components/schemas/{schema}"}, registry=_registry())


def find_operation(method: str, path: str) -> Operation | None:
    fitting = [op for op in list_operations() if op.method == method and op.pattern.fullmatch(path)]
    # A fixed path before one with a parameter in the same place.
    return min(fitting, key=lambda op: op.pattern.pattern.count("[^/]+"), default=None)


def judge(exchange: Exchange) -> list[str]:
    """What the documents have against it, each with the operation's name."""
    operation = find_operation(exchange.method, exchange.path)
    if operation is None:
        return [f"{exchange.method} {exchange.path} is no operation"]
    faults = [*_judge_request(operation, exchange)]
    if not exchange.cut:
        faults += _judge_answer(operation, exchange)
    return [f"{operation.name}: {fault}" for fault in faults]


def _judge_request(operation: Operation, exchange: Exchange) -> list[str]:
    declared = {p["name"]: p for p in operation.raw.get("parameters", []) if p["in"] == "query"}
    given = dict(parse_qsl(exchange.query, keep_blank_values=True))
    faults = [f"parameter {name} is not declared" for name in given.keys() - declared.keys()]
    faults += [
        f"parameter {name} is missing" for name, p in declared.items() if p.get("required") and name not in given
    ]
    content = operation.raw.get("requestBody", {}).get("content")
    if content is None:
        return faults + (["has a body"] if exchange.body else [])
    if exchange.content_type != "application/json":
        return [*faults, f"content type is {exchange.content_type}"]
    schema = _name_of(content["application/json"]["schema"])
    return faults + _validate(operation.document, schema, json.loads(exchange.body))


def _judge_answer(operation: Operation, exchange: Exchange) -> list[str]:
    status = str(exchange.status)
    declared = operation.raw["responses"].get(status)
    if declared is None and exchange.status not in GATEWAY_STATUSES:
        return [f"status {status} is not declared"]
    if not exchange.answer:
        return [] if exchange.status in {201, 204} else [f"status {status} without a body"]
    answer = json.loads(exchange.answer)
    if exchange.status >= 400:
        return _judge_errors(operation, declared or {}, answer)
    schema = DECLARED_AS_ERROR.get((operation.name, status))
    schema = schema or _name_of((declared or {})["content"]["application/json"]["schema"])
    return _validate(operation.document, schema, _shorten(answer)) + _judge_items(operation, answer)


def _judge_errors(operation: Operation, declared: dict[str, Any], answer: Any) -> list[str]:
    content = declared.get("content")
    if content is not None and _name_of(content["application/json"]["schema"]) not in ERROR_SCHEMAS:
        return ["declares something else than an error"]
    errors = answer.get("errors")
    if not isinstance(errors, list) or not errors or answer.keys() != {"errors"}:
        return ["an error answer is a list of errors"]
    schemas = corrected_document(operation.document)["components"]["schemas"]
    schema = "ErrorDetailV3" if "ErrorDetailV3" in schemas else "Error"
    listed = _listed_errors(declared) or set().union(
        *(_listed_errors(r) for op in list_operations() if op.document == operation.document
          for r in op.raw["responses"].values())
    )  # fmt: skip
    faults = [fault for error in errors for fault in _validate(operation.document, schema, error)]
    return faults + [
        f"error {error['errorId']} is not listed" for error in errors if error["errorId"] not in listed | GATEWAY_ERRORS
    ]


def _judge_items(operation: Operation, answer: Any) -> list[str]:
    """The errors of single items, inside of a bulk answer."""
    entries = answer.get("responses", []) if isinstance(answer, dict) else []
    ids = {error["errorId"] for entry in entries for error in entry.get("errors", [])}
    listed = set().union(*(_listed_errors(r) for r in operation.raw["responses"].values()))
    return [f"item error {error_id} is not listed" for error_id in ids - listed - ITEM_ERRORS]


def _shorten(answer: Any) -> Any:
    """The first of many equals: a page of 200 orders takes seconds to validate."""
    if not isinstance(answer, dict):
        return answer
    return {name: value[:LIST_JUDGED_MAX] if isinstance(value, list) else value for name, value in answer.items()}


def _listed_errors(response: dict[str, Any]) -> set[int]:
    return {int(code) for code in response.get("x-response-codes", {}).get("errors", {})}


def _name_of(schema: dict[str, Any]) -> str | None:
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else None


def _validate(document: str, schema: str | None, value: Any) -> list[str]:
    if schema is None:
        return []
    errors = _validator(document, schema).iter_errors(value)
    return [f"{schema}{error.json_path[1:]}: {error.message[:200]}" for error in errors]
