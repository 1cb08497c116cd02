"""What a channel is told: from the stock it may sell to the number it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """Units unless said otherwise.

    `share_percent`: of the sellable stock. `buffer` and `adaptive_buffer`: held back after that. `maximum`: shown at
    most. `minimum`: below it nothing is shown. `multiple`: rounded down to it. `frozen`: nothing is shown.
    `safety_stock`: stays in each source instead of what the warehouse itself keeps back. `warehouses`: codes of the
    sources that count; None: all.
    """

    buffer: int = 0
    share_percent: int = 100
    maximum: int | None = None
    minimum: int = 0
    multiple: int = 1
    adaptive_buffer: int = 0
    frozen: bool = False
    safety_stock: int | None = None
    warehouses: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SourceStock:
    """One source warehouse's units of the SKU."""

    available: int
    safety_stock: int = 0
    warehouse: str = ""


def compute_published(policy: PublishPolicy, sources: Iterable[SourceStock]) -> int:
    """The units to show; never more than what the sources hold above their safety stock."""
    if policy.frozen:
        return 0
    chosen = [one for one in sources if policy.warehouses is None or one.warehouse in policy.warehouses]
    sellable = sum(max(0, one.available - _kept_back(policy, one)) for one in chosen)
    shown = sellable * policy.share_percent // 100 - policy.buffer - policy.adaptive_buffer
    if policy.maximum is not None:
        shown = min(shown, policy.maximum)
    shown = max(0, shown)
    shown -= shown % policy.multiple
    return shown if shown >= policy.minimum else 0


def _kept_back(policy: PublishPolicy, source: SourceStock) -> int:
    return source.safety_stock if policy.safety_stock is None else policy.safety_stock


def compute_exposure(acknowledged: int | None, available: int) -> int:
    """Units that a channel may still sell and that are not there: the worst-case oversell of one listing now."""
    return max(0, (acknowledged or 0) - max(0, available))


def compute_adaptive_buffer(units_per_second: float, lag_seconds: float, *, ceiling: int) -> int:
    """Units likely to be sold elsewhere before the channel hears of it: velocity times measured lag, rounded up."""
    if units_per_second <= 0 or lag_seconds <= 0:
        return 0
    expected = units_per_second * lag_seconds
    return min(ceiling, int(expected) + (expected > int(expected)))
