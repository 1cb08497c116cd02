"""Keeps the account's numbers over a restart, in one JSON file.

A kill between two saves forgets at most a moment of sales. Their order ids were already given out, so after an
unclean stop the counters start well above what was saved: an id is never used for two orders. The signing key is
kept too, or every receiver would have to fetch another one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from adapters.sandbox.ebay.deliver_notifications import Postman
from adapters.sandbox.ebay.sign_notification import load_key
from adapters.sandbox.ebay.state import (
    Destination,
    Fulfillment,
    Item,
    Line,
    Offer,
    Order,
    Refund,
    State,
    Subscription,
)

FORMAT = "ebay-1"
COUNTER_LEAP = 10_000
ORDERS_SAVED_MAX = 500


def dump_state(state: State, postman: Postman, *, clean: bool) -> bytes:
    orders = list(state.orders.values())[-ORDERS_SAVED_MAX:]
    return orjson.dumps({
        "format": FORMAT,
        "clean": clean,
        "counters": state.counters,
        "calls": state.calls,
        "revisions": state.revisions,
        "alert_email": state.alert_email,
        "items": [asdict(item) for item in state.items.values()],
        "offers": [asdict(offer) for offer in state.offers.values()],
        "orders": [asdict(order) for order in orders],
        "destinations": [asdict(known) for known in state.destinations.values()],
        "subscriptions": [asdict(known) for known in state.subscriptions.values()],
        "key": postman.key.dump(),
        "deliveries": postman.dump(),
    })  # fmt: skip


def load_state(state: State, postman: Postman, path: Path) -> bool:
    """Lays what was saved over an account just opened. False when there is nothing to read.

    Raises ValueError when the file is not one of ours: an account must not silently start from zero.
    """
    if not path.exists():
        return False
    try:
        saved = orjson.loads(path.read_bytes())
        if saved["format"] != FORMAT:
            raise ValueError("an unknown format")
        _lay_over(state, saved)
        postman.key = load_key(saved["key"])
        postman.load(saved["deliveries"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a saved sandbox account ({error}); move it away to start anew") from error
    return True


def _lay_over(state: State, saved: dict[str, Any]) -> None:
    state.items = {raw["sku"]: Item(**raw) for raw in saved["items"]}
    for raw in saved["offers"]:
        state.add_offer(Offer(**raw))
    for raw in saved["orders"]:
        lines = [Line(**line) for line in raw.pop("lines")]
        shipped = [Fulfillment(**entry) for entry in raw.pop("fulfillments")]
        refunds = [Refund(**entry) for entry in raw.pop("refunds", [])]
        state.orders[raw["order_id"]] = Order(lines=lines, fulfillments=shipped, refunds=refunds, **raw)
    state.destinations = {raw["destination_id"]: Destination(**raw) for raw in saved["destinations"]}
    state.subscriptions = {raw["subscription_id"]: Subscription(**raw) for raw in saved["subscriptions"]}
    state.alert_email = saved["alert_email"]
    state.calls = {name: (day, count) for name, (day, count) in saved["calls"].items()}
    state.revisions = {name: (day, count) for name, (day, count) in saved["revisions"].items()}
    leap = 0 if saved["clean"] else COUNTER_LEAP
    state.counters = {kind: value + leap for kind, value in saved["counters"].items()}
