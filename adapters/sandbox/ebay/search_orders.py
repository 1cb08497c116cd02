"""getOrders: filters by date and status, `offset` counts records, and the set moves while it is paged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.sandbox.ebay.change_order import touch_order
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.refuse import ApiError
from adapters.sandbox.ebay.render_order import render_order
from adapters.sandbox.ebay.serve_api import Answer, Call, read_whole
from adapters.sandbox.ebay.state import Order, State, now

PAGE_DEFAULT, PAGE_MAX = 50, 200
IDS_MAX = 50
RANGE_SECONDS_MAX = 2 * 366 * 86_400
DEFAULT_RANGE_SECONDS = 90 * 86_400

_CRITERION = re.compile(r"(\w+):(\[[^\]]*\]|\{[^}]*\})")
_DATES = ("creationdate", "lastmodifieddate")
_STATUSES = frozenset({frozenset({"NOT_STARTED", "IN_PROGRESS"}), frozenset({"FULFILLED", "IN_PROGRESS"})})


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which orders, sorted by the date that selects them."""

    by_change: bool
    since: float
    until: float | None
    statuses: frozenset[str] | None

    def date_of(self, order: Order) -> float:
        return order.modified_at if self.by_change else order.created_at

    def wants(self, order: Order) -> bool:
        at = self.date_of(order)
        return at >= self.since and (self.until is None or at <= self.until)


@dataclass(frozen=True, slots=True)
class OrderSearch:
    state: State
    faults: Faults

    def answer(self, call: Call) -> Answer:
        limit, offset = read_whole(call.query.get("limit"), PAGE_DEFAULT), read_whole(call.query.get("offset"), 0)
        if limit is None or not 1 <= limit <= PAGE_MAX:
            raise ApiError(400, 31100, f"Invalid limit: {call.query.get('limit')}")
        if offset is None:
            raise ApiError(400, 31000, f"Invalid offset: {call.query.get('offset')}")
        shown = [(order, self._render(order)) for order in self._find(call)]
        page = shown[offset : offset + limit]
        body = {"orders": [body for _, body in page], "limit": limit, "offset": offset, "total": len(shown)}
        answer = Answer({**body, **_link(call, limit, offset, len(shown))})
        if offset + limit < len(shown) and self.faults.strike(FaultKind.PAGE_SHIFT):
            touch_order(self.state, page[0][0])
        return answer

    def _render(self, order: Order) -> dict[str, Any]:
        return render_order(self.state, order, with_requests=False)

    def _find(self, call: Call) -> list[Order]:
        ids = call.query.get("orderIds")
        if ids is not None:
            wanted = ids.split(",")
            if len(wanted) > IDS_MAX:
                raise ApiError(400, 30900, f"Exceeded maximum number of order IDs (the current limit is {IDS_MAX})")
            return [self.state.orders[order_id] for order_id in wanted if order_id in self.state.orders]
        criteria = read_criteria(call.query.get("filter"))
        found = [order for order in self.state.orders.values() if criteria.wants(order)]
        if criteria.statuses is not None:
            found = [order for order in found if self._render(order)["orderFulfillmentStatus"] in criteria.statuses]
        return sorted(found, key=lambda order: (criteria.date_of(order), order.index))


def read_criteria(text: str | None) -> Criteria:
    """Raises ApiError. Of two dates only the creation date counts, as the vendor has it."""
    given = dict(_CRITERION.findall(text or ""))
    if text and ",".join(f"{name}:{value}" for name, value in given.items()) != text:
        raise ApiError(400, 30700, f"Invalid filter name: {text[:100]}")
    unknown = given.keys() - {*_DATES, "orderfulfillmentstatus"}
    if unknown:
        raise ApiError(400, 30700, f"Invalid filter name: {', '.join(unknown)}")
    statuses = None
    if "orderfulfillmentstatus" in given:
        statuses = frozenset(given["orderfulfillmentstatus"][1:-1].split("|"))
        if statuses not in _STATUSES:
            raise ApiError(400, 30800, "Invalid filter value for filter orderfulfillmentstatus")
    chosen = next((name for name in _DATES if name in given), None)
    if chosen is None:
        return Criteria(False, now() - DEFAULT_RANGE_SECONDS, None, statuses)
    since, until = _read_range(given[chosen])
    return Criteria(chosen == "lastmodifieddate", since, until, statuses)


def _read_range(text: str) -> tuple[float, float | None]:
    start, separator, end = text[1:-1].partition("..")
    if not separator or not start:
        raise ApiError(400, 30820, "Start date is missing")
    since, until = _read_date(start), _read_date(end) if end else None
    if max(since, until or 0.0) > now() + 1:
        raise ApiError(400, 30850, "Start and end dates can't be in the future")
    if until is not None and since > until:
        raise ApiError(400, 30840, "Start date should be before end date")
    if (until or now()) - since > RANGE_SECONDS_MAX:
        raise ApiError(400, 30830, "Time range between start date and end date must be within '2' years.")
    return since, until


def _read_date(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, 30810, "Invalid date format") from None
    if at.tzinfo is None:
        raise ApiError(400, 30810, "Invalid date format")
    return round(at.timestamp(), 3)


def _link(call: Call, limit: int, offset: int, total: int) -> dict[str, str]:
    base, _, query = call.url.partition("?")
    rest = "".join(f"&{part}" for part in query.split("&") if part and part.split("=")[0] not in {"limit", "offset"})
    links = {"href": f"{base}?limit={limit}&offset={offset}{rest}"}
    if offset + limit < total:
        links["next"] = f"{base}?limit={limit}&offset={offset + limit}{rest}"
    if offset > 0:
        links["prev"] = f"{base}?limit={limit}&offset={max(0, offset - limit)}{rest}"
    return links
