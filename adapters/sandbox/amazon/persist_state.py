"""Keeps the marketplace over a restart, in one JSON file.

A kill between two saves forgets at most a moment of sales. Their order ids were already given out, so after an
unclean stop the counters start well above what was saved: an id is never used for two orders.
"""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import orjson

from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import Document, Due, Feed, Line, Listing, Order, Package, Return, State

FORMAT = 1
COUNTER_LEAP = 10_000
ORDERS_SAVED_MAX = 500


def dump_market(market: Market, *, clean: bool) -> bytes:
    """Dataclasses as they are: copying them first would hold up the marketplace many times longer."""
    state = market.state
    return orjson.dumps(
        {
            "format": FORMAT,
            "clean": clean,
            "counters": state.counters,
            "listings": list(state.listings.values()),
            "orders": list(state.orders.values())[-ORDERS_SAVED_MAX:],
            "returns": list(state.returns.values()),
            "documents": list(state.documents.values()),
            "feeds": list(state.feeds.values()),
            "due": state.due,
            "messages": list(market.queue.messages.values()),
        }
    )


def load_market(market: Market, path: Path) -> bool:
    """Lays what was saved over a marketplace just opened. False when there is nothing to read.

    Raises ValueError when the file is not one of ours: a marketplace must not silently start from zero.
    """
    if not path.exists():
        return False
    try:
        saved = orjson.loads(path.read_bytes())
        if saved["format"] != FORMAT:
            raise ValueError("an unknown format")
        _lay_over(market.state, saved)
        market.queue.load(saved["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a saved sandbox marketplace ({error}); move it away to start anew") from error
    return True


def _lay_over(state: State, saved: dict[str, Any]) -> None:
    state.listings = {raw["sku"]: Listing(**raw) for raw in saved["listings"]}
    for raw in saved["orders"]:
        lines = [Line(**line) for line in raw.pop("lines")]
        packages = [Package(**package) for package in raw.pop("packages")]
        state.orders[raw["order_id"]] = Order(lines=lines, packages=packages, **raw)
    state.returns.update((raw["return_id"], Return(**raw)) for raw in saved.get("returns", []))
    for raw in saved["documents"]:
        state.documents[raw["document_id"]] = Document(**raw)
    for raw in saved["feeds"]:
        state.feeds[raw["feed_id"]] = Feed(**raw)
    state.due = [Due(**raw) for raw in saved["due"]]
    heapq.heapify(state.due)
    leap = 0 if saved["clean"] else COUNTER_LEAP
    state.counters = {kind: value + leap for kind, value in saved["counters"].items()}
