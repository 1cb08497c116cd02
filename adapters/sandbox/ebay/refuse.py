"""The vendor's refusals: `{"errors": [{errorId, domain, category, message, longMessage, parameters}]}`."""

from __future__ import annotations

from typing import Any

SYSTEM_ERRORS = {"inventory": 25001, "fulfillment": 30500, "notification": 195000, "analytics": 105000}
_APPLICATION = frozenset({2003, *SYSTEM_ERRORS.values(), 195026})
_DOMAINS = (
    (range(1000, 1100), "OAuth"),
    (range(1100, 3000), "ACCESS"),
    (range(25000, 26000), "API_INVENTORY"),
    (range(30000, 35000), "API_FULFILLMENT"),
    (range(105000, 106000), "API_ANALYTICS"),
    (range(195000, 196000), "API_NOTIFICATION"),
)


class ApiError(Exception):
    """What a handler raises instead of answering; `status` is the HTTP answer."""

    def __init__(self, status: int, error_id: int, message: str, parameters: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = describe_error(error_id, message, parameters)


def describe_error(error_id: int, message: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
    """One entry of `errors` or `warnings`."""
    return {
        "errorId": error_id,
        "domain": next(domain for numbers, domain in _DOMAINS if error_id in numbers),
        "category": "APPLICATION" if error_id in _APPLICATION else "REQUEST",
        "message": message,
        "longMessage": message,
        "parameters": [{"name": name, "value": value} for name, value in (parameters or {}).items()],
    }
