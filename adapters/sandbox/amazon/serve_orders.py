"""The Orders API 2026-01-01 (search, get) and confirmShipment of version 0."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.sandbox.amazon.answer_calls import ApiError, Call, check_choice, check_query, refuse_input
from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.place_order import touch_order
from adapters.sandbox.amazon.render_order import DATA_SETS, STATUSES, render_order
from adapters.sandbox.amazon.state import Order, now, write_time

PAGE_MAX = 100
TOKEN_SECONDS = 86_400.0
MARKETPLACES_MAX = 50
CREATED = ("createdAfter", "createdBefore")
UPDATED = ("lastUpdatedAfter", "lastUpdatedBefore")
# What must stay the same from page to page.
FIXED = (*CREATED, *UPDATED, "fulfillmentStatuses", "marketplaceIds", "fulfilledBy")
SEARCH_QUERY = frozenset({*FIXED, "maxResultsPerPage", "paginationToken", "includedData"})


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since the epoch, both ends included. `field`: how the answer names its end."""

    after: float
    before: float
    field: str
    moment: Callable[[Order], float]


def search_orders(market: Market, call: Call) -> dict[str, Any]:
    """By time, oldest first. Pages count from the start of a live list, so they shift when an order changes."""
    check_query(call, SEARCH_QUERY)
    check_choice(call, "includedData", DATA_SETS)
    check_choice(call, "fulfillmentStatuses", STATUSES)
    check_choice(call, "fulfilledBy", frozenset({"MERCHANT", "AMAZON"}))
    if len(call.list_of("marketplaceIds")) > MARKETPLACES_MAX:
        raise refuse_input(f"At most {MARKETPLACES_MAX} marketplaceIds.")
    window, size, start = _read_window(market, call), _read_size(call), _read_token(call)
    found = _find(market, call, window)
    if start and found and market.faults.strike(FaultKind.PAGE_SHIFT):
        touch_order(market, found[0])
        found = _find(market, call, window)
    included = set(call.list_of("includedData"))
    answer: dict[str, Any] = {
        "orders": [render_order(market.config, order, included) for order in found[start : start + size]],
        window.field: write_time(window.before),
    }
    if start + size < len(found):
        answer["pagination"] = {"nextToken": _write_token(call, start + size)}
    return answer


def _find(market: Market, call: Call, window: Window) -> list[Order]:
    statuses, sellers = call.list_of("fulfillmentStatuses"), call.list_of("fulfilledBy")
    places = call.list_of("marketplaceIds")
    if (sellers and "MERCHANT" not in sellers) or (places and market.config.marketplace_id not in places):
        return []
    found = [
        order
        for order in market.state.orders.values()
        if window.after <= window.moment(order) <= window.before and (not statuses or order.status in statuses)
    ]
    return sorted(found, key=lambda order: (window.moment(order), order.order_id))


def _read_window(market: Market, call: Call) -> Window:
    given = [pair for pair in (CREATED, UPDATED) if pair[0] in call.query]
    if len(given) != 1 or any(name in call.query for name in (CREATED if given[0] is UPDATED else UPDATED)):
        raise refuse_input("Give exactly one of createdAfter and lastUpdatedAfter, and its own ...Before.")
    after_name, before_name = given[0]
    newest = now() - market.config.search_age_seconds
    after = _read_time(call, after_name)
    before = _read_time(call, before_name) if before_name in call.query else newest
    if before > newest:
        raise refuse_input(f"{before_name} must be at least two minutes before the time of the request.")
    if before < after and before_name in call.query:
        raise refuse_input(f"{before_name} must be equal to or after {after_name}.")
    if given[0] is CREATED:
        return Window(after, before, before_name, lambda order: order.created_at)
    return Window(after, before, before_name, lambda order: order.updated_at)


def _read_time(call: Call, name: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(call.query[name])
    except ValueError:
        raise refuse_input(f"{name} is not an ISO 8601 time.") from None
    if moment.tzinfo is None:
        raise refuse_input(f"{name} needs a time zone.")
    return moment.timestamp()


def _read_size(call: Call) -> int:
    size = call.query.get("maxResultsPerPage", str(PAGE_MAX))
    if not size.isdecimal() or not 1 <= int(size) <= PAGE_MAX:
        raise refuse_input(f"maxResultsPerPage is from 1 to {PAGE_MAX}.")
    return int(size)


def _describe(call: Call) -> list[str]:
    return [call.query.get(name, "") for name in FIXED]


def _write_token(call: Call, start: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([start, now(), _describe(call)])).decode()


def _read_token(call: Call) -> int:
    token = call.query.get("paginationToken")
    if token is None:
        return 0
    try:
        start, given_at, described = orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise refuse_input("The paginationToken is none of ours.") from None
    if now() - given_at > TOKEN_SECONDS:
        raise refuse_input("The paginationToken has expired.")
    if described != _describe(call):
        raise refuse_input("The parameters do not match the paginationToken's.")
    return int(start)


def get_order(market: Market, call: Call) -> dict[str, Any]:
    check_query(call, frozenset({"includedData"}))
    check_choice(call, "includedData", DATA_SETS)
    order = market.state.orders.get(call.path["order_id"])
    if order is None:
        raise ApiError(404, "NotFound", "The order does not exist.")
    return {"order": render_order(market.config, order, set(call.list_of("includedData")))}
