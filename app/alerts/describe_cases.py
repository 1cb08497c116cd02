"""What an alert says, for programs and for people."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

CASES_SHOWN = 100
LINES_SHOWN = 20
TYPE = "exception.alert"
RANKS = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
KINDS = {"CRITICAL": "failure", "HIGH": "failure", "MEDIUM": "warning", "LOW": "info"}
_FIELDS = (
    *("kind", "severity", "state", "cause", "subject", "title", "detail", "channel", "sku", "warehouse", "owner"),
    *("due_at", "count", "opened_at", "last_seen_at", "resolved_at"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """`kind`: in Apprise's words."""

    title: str
    body: str
    kind: str


def describe_for_programs(rule: str, cases: Sequence[Mapping[str, Any]], now: datetime.datetime) -> bytes:
    """A payload as Standard Webhooks advises: type, timestamp and data; the worst cases first."""
    data = {"rule": rule, "total": len(cases), "cases": [_plain(case) for case in _rank(cases)[:CASES_SHOWN]]}
    return orjson.dumps({"type": TYPE, "timestamp": now, "data": data}, option=orjson.OPT_UTC_Z)


def describe_for_people(rule: str, cases: Sequence[Mapping[str, Any]]) -> Message:
    """The worst case as the title, and a line for each."""
    ranked = _rank(cases)
    first = ranked[0]
    more = f" (and {len(ranked) - 1} more)" if len(ranked) > 1 else ""
    lines = [_line(case) for case in ranked[:LINES_SHOWN]]
    if len(ranked) > LINES_SHOWN:
        lines.append(f"… and {len(ranked) - LINES_SHOWN} more: see exceptionCases.")
    kind = "success" if first["state"] == "RESOLVED" else KINDS[first["severity"]]
    return Message(f"[{_word(first)}] {first['title']}{more}", "\n".join([*lines, "", f"Alert rule: {rule}"]), kind)


def _rank(cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Open before resolved, then by severity, then the oldest first."""
    return sorted(cases, key=lambda case: (case["state"] == "RESOLVED", RANKS.index(case["severity"]), case["id"]))


def _word(case: Mapping[str, Any]) -> str:
    return "RESOLVED" if case["state"] == "RESOLVED" else str(case["severity"])


def _line(case: Mapping[str, Any]) -> str:
    times = f", {case['count']} times" if case["count"] > 1 else ""
    detail = f": {case['detail']}" if case["detail"] else ""
    return f"{_word(case)} {case['kind']} {case['title']}{detail} (since {case['opened_at']:%Y-%m-%d %H:%M} UTC{times})"


def _plain(case: Mapping[str, Any]) -> dict[str, Any]:
    key = base64.urlsafe_b64encode(f"ExceptionCase:{case['id']}".encode()).decode().rstrip("=")
    return {"id": key, **{_camel(name): case[name] for name in _FIELDS}}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
