"""Keeps the store's numbers over a restart, in one JSON file.

A kill between two saves forgets at most a moment of sales. Their order ids were already given out, so
after an unclean stop the counters start well above what was saved: an id is never used for two orders.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from adapters.sandbox.shopify.deliver_webhooks import Postman
from adapters.sandbox.shopify.refunds import ExchangeLine, Refund, RefundLine, Return, ReturnedLine
from adapters.sandbox.shopify.route_order import route_whole
from adapters.sandbox.shopify.state import (
    Level,
    Line,
    Order,
    Parcel,
    ParcelLine,
    Part,
    Product,
    Share,
    State,
    Subscription,
    Tokens,
)

FORMAT = 1
COUNTER_LEAP = 10_000
ORDERS_SAVED_MAX = 500


def dump_state(state: State, postman: Postman, *, clean: bool) -> bytes:
    orders = list(state.orders.values())[-ORDERS_SAVED_MAX:]
    return orjson.dumps(
        {
            "format": FORMAT,
            "clean": clean,
            "tokens": asdict(state.tokens),
            "installed": state.installed,
            "counters": state.counters,
            "products": [asdict(product) for product in state.products.values()],
            "levels": [asdict(level) for level in state.levels.values()],
            "orders": [asdict(order) for order in orders],
            "subscriptions": [asdict(known) for known in state.subscriptions.values()],
            "deliveries": postman.dump(),
        }
    )


def load_state(state: State, postman: Postman, path: Path) -> bool:
    """Lays what was saved over a store just opened. False when there is nothing to read.

    Raises ValueError when the file is not one of ours: a store must not silently start from zero.
    """
    if not path.exists():
        return False
    try:
        saved = orjson.loads(path.read_bytes())
        if saved["format"] != FORMAT:
            raise ValueError("an unknown format")
        _lay_over(state, saved)
        postman.load(saved["deliveries"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a saved sandbox store ({error}); move it away to start anew") from error
    return True


def _lay_over(state: State, saved: dict[str, Any]) -> None:
    state.products = {raw["index"]: Product(**raw) for raw in saved["products"]}
    state.item_by_sku = {product.sku: product.index for product in state.products.values()}
    for raw in saved["levels"]:
        if raw["location"] in state.locations:
            state.levels[(raw["location"], raw["item"])] = Level(**raw)
    for raw in saved["orders"]:
        order = state.orders[raw["index"]] = _read_order(raw)
        if "parts" not in raw:  # saved by a store that did not route its orders
            route_whole(state, order)
    if "tokens" in saved and state.config.refresh_token:
        state.tokens = Tokens(**saved["tokens"])
    state.installed = saved.get("installed", True)
    state.subscriptions = {raw["index"]: Subscription(**raw) for raw in saved["subscriptions"]}
    leap = 0 if saved["clean"] else COUNTER_LEAP
    for kind, value in saved["counters"].items():
        if kind != "Location":  # locations are counted from the configuration
            state.counters[kind] = value + leap


def _read_order(raw: dict[str, Any]) -> Order:
    inner = {
        "lines": [Line(**line) for line in raw["lines"]],
        "parts": [
            Part(**{**part, "shares": [Share(**share) for share in part["shares"]]}) for part in raw.get("parts", [])
        ],
        "parcels": [
            Parcel(**{**parcel, "lines": [ParcelLine(**line) for line in parcel["lines"]]})
            for parcel in raw.get("parcels", [])
        ],
        "refunds": [
            Refund(**{**refund, "lines": [RefundLine(**line) for line in refund["lines"]]})
            for refund in raw.get("refunds", [])
        ],
        "returns": [
            Return(
                **{
                    **known,
                    "lines": [ReturnedLine(**line) for line in known["lines"]],
                    "exchanges": [ExchangeLine(**entry) for entry in known["exchanges"]],
                }
            )
            for known in raw.get("returns", [])
        ],
    }
    return Order(**{**raw, **inner})
