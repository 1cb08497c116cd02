"""When to order again and how much: three kinds of policy, one answer with the formula and what went into it.

    position      = available + in transit + expected + proposed
    order up to   = reorder point + units forecast for the days that one order should last
    reorder point = the least from which the service level is served, over the lot between the two
    safety stock  = reorder point - units forecast for the lead time

An order is proposed when the position is at or below the reorder point. The service level is the share of order lines
that are to be filled at once and completely: `domain/service_level.py` says what a reorder point serves.

What is sold until an order is there varies with the days, and the forecast itself is off (Silver, Pyke, Thomas, cited
there, chapter 4): the level comes from so few days that its own variance counts too.

    variance of the sales = variance of a day x (lead days + lead days^2 / days that the level rests on)

The lower the promise, the more of the largest days may be left out of it (`bulk_limit`).
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.errors import Refusal, RefusalCode
from domain.forecast import Forecast, Pool, count_effective_days
from domain.service_level import Sales, find_reorder_point
from domain.stock import QUANTITY_MAX

LEAD_DAYS_MAX, COVER_DAYS_MAX = 365, 365
SERVICE_MIN, SERVICE_MAX = 0.5, 0.9999
BULK_SHARE = 0.06
FORMULA = (
    "unitsProtected = level x averageDaysProtected; "
    "unitsVariance = variance x (protectedDays + protectedDays^2 / effectiveDays); "
    "lot = level x averageDaysCovered, rounded up; "
    "shortage(x) = what gamma(unitsProtected, unitsVariance) exceeds x by, on average; "
    "reorder point = the least r with 1 - (shortage(r) - shortage(r + lot)) / lot >= serviceLevel, rounded up; "
    "safety stock = reorder point - unitsProtected; order up to = reorder point + lot"
)


class PolicyKind(StrEnum):
    """`MIN_MAX`: at or below the minimum, up to the maximum. `REORDER_POINT`: a fixed quantity each time."""

    MIN_MAX = "MIN_MAX"
    REORDER_POINT = "REORDER_POINT"
    COMPUTED = "COMPUTED"


class RequestStatus(StrEnum):
    """What was ordered has ended: `DONE` when any of it has come, `CANCELLED` when nothing has."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class RequestSource(StrEnum):
    TRANSFER = "TRANSFER"
    PURCHASE = "PURCHASE"


class PurchaseStatus(StrEnum):
    """`CLOSED`: what has not come is not expected any more."""

    OPEN = "OPEN"
    PARTLY_RECEIVED = "PARTLY_RECEIVED"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Policy:
    """Units and days. `minimum` and `maximum` for MIN_MAX, `reorder_point` and `order_quantity` for REORDER_POINT,
    `service_level` (a share) and `cover_days` for COMPUTED."""

    kind: PolicyKind
    minimum: int | None = None
    maximum: int | None = None
    reorder_point: int | None = None
    order_quantity: int | None = None
    service_level: float | None = None
    cover_days: int | None = None


@dataclass(frozen=True, slots=True)
class StockPlan:
    """`inputs`: every number that the formula takes."""

    reorder_point: int
    order_up_to: int
    safety_stock: int
    formula: str
    inputs: dict[str, Any]


def check_policy(policy: Policy) -> None:
    """Raises `Refusal` INVALID_INPUT for what does not belong to the kind, or makes no sense."""
    wanted = {
        PolicyKind.MIN_MAX: {"minimum", "maximum"},
        PolicyKind.REORDER_POINT: {"reorder_point", "order_quantity"},
        PolicyKind.COMPUTED: {"service_level", "cover_days"},
    }[policy.kind]
    names = ("minimum", "maximum", "reorder_point", "order_quantity", "service_level", "cover_days")
    given = {name for name in names if getattr(policy, name) is not None}
    if given != wanted:
        names_wanted = " and ".join(sorted(wanted)).replace("_", " ")
        raise Refusal(RefusalCode.INVALID_INPUT, f"{policy.kind} takes {names_wanted}, and nothing else.", ("kind",))
    if policy.kind is PolicyKind.MIN_MAX:
        _require(0 <= (policy.minimum or 0) < (policy.maximum or 0) <= QUANTITY_MAX, "maximum", "minimum < maximum")
    if policy.kind is PolicyKind.REORDER_POINT:
        _require(0 <= (policy.reorder_point or 0) <= QUANTITY_MAX, "reorderPoint", "zero or more")
        _require(1 <= (policy.order_quantity or 0) <= QUANTITY_MAX, "orderQuantity", "one or more")
    if policy.kind is PolicyKind.COMPUTED:
        level, cover = policy.service_level or 0, policy.cover_days or 0
        _require(SERVICE_MIN <= level <= SERVICE_MAX, "serviceLevel", f"from {SERVICE_MIN} to {SERVICE_MAX}")
        _require(1 <= cover <= COVER_DAYS_MAX, "coverDays", f"from 1 to {COVER_DAYS_MAX}")


def _require(right: bool, field: str, rule: str) -> None:
    if not right:
        raise Refusal(RefusalCode.INVALID_INPUT, f"{field}: {rule}.", (field,))


def plan_stock(policy: Policy, forecast: Forecast, pool: Pool, today: datetime.date, lead_days: int) -> StockPlan:
    """What the policy says today. `lead_days`: from ordering to having it."""
    if policy.kind is PolicyKind.MIN_MAX:
        low, high = policy.minimum or 0, policy.maximum or 0
        inputs = {"minimum": low, "maximum": high}
        return StockPlan(low, high, 0, "reorder point = minimum; order up to = maximum", inputs)
    if policy.kind is PolicyKind.REORDER_POINT:
        point, quantity = policy.reorder_point or 0, policy.order_quantity or 0
        inputs = {"reorderPoint": point, "orderQuantity": quantity}
        return StockPlan(point, point + quantity, 0, "order up to = reorder point + order quantity", inputs)
    return _compute(policy, forecast, pool, today, lead_days)


def _compute(policy: Policy, forecast: Forecast, pool: Pool, today: datetime.date, lead_days: int) -> StockPlan:
    service, cover = policy.service_level or SERVICE_MIN, policy.cover_days or 1
    days, tomorrow = max(1, lead_days), today + datetime.timedelta(days=1)
    protected = forecast.level * pool.shape(tomorrow, days)
    known = count_effective_days(forecast.days)
    sales = Sales(protected, forecast.variance * (days + days * days / known))
    lot = max(1, math.ceil(forecast.level * pool.shape(tomorrow, cover))) if forecast.level else 0
    point = math.ceil(find_reorder_point(service, lot, sales)) if lot else 0
    inputs = {
        "level": round(forecast.level, 4),
        "variance": round(forecast.variance, 4),
        "method": forecast.method.value,
        "historyDays": forecast.days,
        "salesIntervalDays": None if math.isinf(forecast.interval) else round(forecast.interval, 2),
        "leadDays": lead_days,
        "protectedDays": days,
        "effectiveDays": round(known, 2),
        "coverDays": cover,
        "serviceLevel": service,
        "bulkLimit": round(bulk_limit(service), 2),
        "averageDaysProtected": round(pool.shape(tomorrow, days), 4),
        "averageDaysCovered": round(pool.shape(tomorrow, cover), 4),
        "unitsProtected": round(protected, 2),
        "unitsVariance": round(sales.variance, 2),
        "lot": lot,
        "weekdays": [round(share, 3) for share in pool.weekdays],
    }
    return StockPlan(point, point + lot, max(0, point - math.floor(protected)), FORMULA, inputs)


def bulk_limit(service_level: float) -> float:
    """Standard deviations above the level beyond which a day's sales are cut off for this promise."""
    return BULK_SHARE / (1 - service_level)


def order_quantity(plan: StockPlan, position: int, pack_size: int = 1, minimum: int = 1) -> int:
    """Units to be ordered now, whole packs and at least the minimum; 0 when the position is above the reorder point."""
    if position > plan.reorder_point or plan.order_up_to <= position:
        return 0
    wanted = max(plan.order_up_to - position, minimum)
    return -(-wanted // pack_size) * pack_size
