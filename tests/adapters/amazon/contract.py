"""Amazon's published contract as a judge of requests and responses.

Swagger 2.0 definitions are JSON Schema of draft 4 in all but name, so a response's schema is its `$ref` beside the
model's definitions. Parameters are checked by hand.
"""

from __future__ import annotations

import datetime
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from jsonschema import Draft4Validator, Draft7Validator, FormatChecker

MODELS = {
    "listingsItems_2021-08-01": {"getListingsItem", "patchListingsItem", "searchListingsItems"},
    "feeds_2021-06-30": {"createFeed", "createFeedDocument", "getFeed", "getFeedDocument"},
    "orders_2026-01-01": {"searchOrders", "getOrder"},
    "ordersV0": {"confirmShipment"},
    "externalFulfillmentReturns_2024-09-11": {"listReturns"},
}
OPERATIONS = frozenset().union(*MODELS.values())
NOTIFICATIONS = {
    "ORDER_CHANGE": "OrderChangeNotification",
    "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
}
# The vendor's own.
EXAMPLE_DEFECTS = {
    "ListingsItemStatusChangeNotification": "the example says _CHANGE, the enum _CHANGED",
    "ShipmentTrackingMilestoneChangedNotification": "a $ref leads nowhere",
}
GZIP_MAGIC = b"\x1f\x8b"
formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def is_date_time(value: Any) -> bool:
    return not isinstance(value, str) or datetime.datetime.fromisoformat(value).tzinfo is not None


@dataclass
class Operation:
    name: str
    method: str
    template: str
    parameters: list[dict[str, Any]]
    responses: dict[str, dict[str, Any]]
    definitions: dict[str, Any]
    validators: dict[str, Draft4Validator] = field(default_factory=dict)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(self.template)))

    def errors_of(self, schema: dict[str, Any], value: Any) -> list[str]:
        found = self._find_validator(schema).iter_errors(value)
        return [f"{self.name}: {error.json_path}: {error.message[:300]}" for error in found]

    def _find_validator(self, schema: dict[str, Any]) -> Draft4Validator:
        """Made once: finding every `$ref` anew costs more than all the rest."""
        name = json.dumps(schema, sort_keys=True)
        if name not in self.validators:
            whole = {**schema, "definitions": self.definitions}
            self.validators[name] = Draft4Validator(whole, format_checker=formats)
        return self.validators[name]

    def judge_request(self, query: dict[str, str], body: Any) -> Iterator[str]:
        known = {entry["name"]: entry for entry in self.parameters if entry["in"] == "query"}
        for name in query.keys() - known.keys():
            yield f"{self.name}: no parameter is called {name}"
        for name, entry in known.items():
            if entry.get("required") and name not in query:
                yield f"{self.name}: {name} is missing"
            elif name in query:
                yield from self.errors_of(_schema_of(entry), _value_of(entry, query[name]))
        for entry in self.parameters:
            if entry["in"] == "body":
                yield from self.errors_of(entry["schema"], body)
        if body is not None and not any(entry["in"] == "body" for entry in self.parameters):
            yield f"{self.name}: it takes no body"

    def judge_response(self, status: int, body: Any) -> Iterator[str]:
        response = self.responses.get(str(status))
        if response is None:
            yield f"{self.name}: {status} is no answer of it"
        elif "schema" in response:
            yield from self.errors_of(response["schema"], body)
        elif body is not None:
            yield f"{self.name}: {status} has no body"

    def judge_headers(self, status: int, headers: httpx.Headers) -> Iterator[str]:
        for name in self.responses.get(str(status), {}).get("headers", {}):
            if name not in headers:
                yield f"{self.name}: {status} lacks {name}"


def _schema_of(entry: dict[str, Any]) -> dict[str, Any]:
    names = ("type", "enum", "items", "minItems", "maxItems", "minimum", "maximum", "format")
    return {name: entry[name] for name in names if name in entry}


def _value_of(entry: dict[str, Any], text: str) -> Any:
    if entry["type"] == "array":
        return text.split(",")
    if entry["type"] == "integer":
        return int(text) if text.isdecimal() else text
    if entry["type"] == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


@dataclass
class Contract:
    """`seen`: the operations and documents judged so far."""

    folder: Path
    seen: set[str] = field(default_factory=set)

    @cached_property
    def operations(self) -> list[Operation]:
        return [operation for model in MODELS for operation in self._read_model(model)]

    def _read_model(self, model: str) -> Iterator[Operation]:
        raw = json.loads((self.folder / "models" / f"{model}.json").read_text())
        for template, methods in raw["paths"].items():
            shared = methods.get("parameters", [])
            for method, entry in methods.items():
                if method != "parameters" and entry["operationId"] in MODELS[model]:
                    parameters = [*shared, *entry["parameters"]]
                    name = entry["operationId"]
                    yield Operation(name, method.upper(), template, parameters, entry["responses"], raw["definitions"])

    def find(self, method: str, path: str) -> Operation | None:
        """By the raw path: a SKU's slash is encoded in it."""
        for operation in self.operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                return operation
        return None

    @cached_property
    def _schemas(self) -> dict[str, Draft7Validator]:
        files = [*(self.folder / "schemas" / "feeds").glob("*-v2.json")]
        files += (self.folder / "schemas" / "notifications").glob("*.json")
        return {path.stem: Draft7Validator(json.loads(path.read_text()), format_checker=formats) for path in files}

    def judge_document(self, schema: str, value: Any) -> list[str]:
        return [
            f"{schema}: {error.json_path}: {error.message[:300]}" for error in self._schemas[schema].iter_errors(value)
        ]

    def judge_notification(self, body: str) -> list[str]:
        raw = json.loads(body)
        topic = raw.get("NotificationType") or raw.get("notificationType")
        self.seen.add(topic)
        return self.judge_document(NOTIFICATIONS[topic], raw)

    def judge_request(self, request: httpx.Request) -> list[str]:
        path = urlsplit(str(request.url)).path
        if path.startswith("/documents/") and request.method == "PUT":
            self.seen.add("feed")
            return self.judge_document("listings-feed-schema-v2", json.loads(request.content))
        operation = self.find(request.method, path)
        if operation is None:
            return [] if _is_outside(path) else [f"{request.method} {unquote(path)} is no operation"]
        self.seen.add(operation.name)
        body = json.loads(request.content) if request.content else None
        return list(operation.judge_request(dict(parse_qsl(urlsplit(str(request.url)).query)), body))

    def judge_response(self, response: httpx.Response) -> list[str]:
        """The body must have been read."""
        path = urlsplit(str(response.request.url)).path
        if path == "/sqs" and response.is_success:
            messages = response.json().get("Messages", [])
            return [error for message in messages for error in self.judge_notification(message["Body"])]
        if path.startswith("/documents/") and response.request.method == "GET" and response.is_success:
            self.seen.add("report")
            return self.judge_document("listings-feed-processing-report-schema-v2", _unpack(response.content))
        operation = self.find(response.request.method, path)
        if operation is None:
            return []
        body = response.json() if response.content else None
        found = [*operation.judge_response(response.status_code, body)]
        return [*found, *operation.judge_headers(response.status_code, response.headers)]


def _unpack(content: bytes) -> Any:
    return json.loads(gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content)


def _is_outside(path: str) -> bool:
    """What Amazon describes in prose only."""
    return path in ("/auth/o2/token", "/sqs") or path.startswith("/documents/")
