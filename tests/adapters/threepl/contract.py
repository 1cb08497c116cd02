"""ShipEngine Connect's own OpenAPI document as a judge of what goes over the wire, in both directions.

Strict where it is loose: a field that it does not name is a fault too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

FILE = "connect-fulfillment-provider-2.1.0.openapi.json"


@dataclass(frozen=True)
class Exchange:
    path: str
    asked: bytes
    status: int
    told: bytes


@cache
def load_contract(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "threepl" / FILE).read_bytes())
    _close(document)
    return document


def _close(part: Any) -> None:
    """No object may have a field that its schema does not name."""
    if isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part:
            part.setdefault("additionalProperties", False)
        for one in part.values():
            _close(one)
    elif isinstance(part, list):
        for one in part:
            _close(one)


def judge(folder: Path, exchange: Exchange) -> list[str]:
    """What the contract has against a call and its answer."""
    document = load_contract(folder)
    operation = document["paths"].get(exchange.path, {}).get("post")
    if operation is None:
        return [f"{exchange.path} is no method"]
    faults = _judge(document, operation["requestBody"], json.loads(exchange.asked))
    if exchange.status == 200:
        faults += _judge(document, operation["responses"]["200"], json.loads(exchange.told))
    return [f"{exchange.path}: {fault}" for fault in faults]


def _judge(document: dict[str, Any], part: dict[str, Any], value: Any) -> list[str]:
    schema = {**part["content"]["application/json"]["schema"], "components": document["components"]}
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
