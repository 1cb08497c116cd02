"""What a publish policy can be, of a channel or of one listing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import Refusal, RefusalCode

UNITS_MAX = 1_000_000_000
RANGES = {
    "buffer": ("buffer", 0, UNITS_MAX),
    "share_percent": ("sharePercent", 0, 100),
    "maximum": ("maximum", 0, UNITS_MAX),
    "minimum": ("minimum", 0, UNITS_MAX),
    "multiple": ("multiple", 1, UNITS_MAX),
    "safety_stock": ("safetyStock", 0, UNITS_MAX),
}
NULLABLE = frozenset({"maximum", "safety_stock"})
"""Of a channel: no maximum, the warehouses' own safety stock. A listing without a value has its channel's."""


def check_policy(values: Mapping[str, Any], path: tuple[str, ...] = (), *, of_listing: bool = False) -> None:
    """Refuse with INVALID_INPUT what is out of range, or taken away where there must be a value."""
    for name, value in values.items():
        if name not in RANGES:
            continue
        shown, least, most = RANGES[name]
        if value is None and (of_listing or name in NULLABLE):
            continue
        if value is None:
            message = f"{shown} cannot be taken away: leave it out."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, shown))
        if not least <= value <= most:
            message = f"{shown} is from {least} to {most}."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, shown))
