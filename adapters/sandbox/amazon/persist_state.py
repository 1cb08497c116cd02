"""Keeps the marketplace over a restart: one JSON file, written whole beside the old one, then renamed.

A kill between two saves forgets at most SAVE_SECONDS of sales. Their order ids were already given out, so after an
unclean stop the counters start well above what was saved: an id is never used for two orders.
"""

from __future__ import annotations

import asyncio
import fcntl
import heapq
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import Document, Due, Feed, Line, Listing, Order, Package, State

FORMAT = 1
SAVE_SECONDS = 0.25
COUNTER_LEAP = 10_000
ORDERS_SAVED_MAX = 500
LOCK_SECONDS_MAX = 10.0
LOCK_LOOK_SECONDS = 0.05

logger = logging.getLogger(__name__)


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
    for raw in saved["documents"]:
        state.documents[raw["document_id"]] = Document(**raw)
    for raw in saved["feeds"]:
        state.feeds[raw["feed_id"]] = Feed(**raw)
    state.due = [Due(**raw) for raw in saved["due"]]
    heapq.heapify(state.due)
    leap = 0 if saved["clean"] else COUNTER_LEAP
    state.counters = {kind: value + leap for kind, value in saved["counters"].items()}


@contextmanager
def lock_state(path: Path, patience_seconds: float = LOCK_SECONDS_MAX) -> Iterator[None]:
    """Keep the file to one marketplace. Raises OSError when another holds it for longer than a stop takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        deadline = time.monotonic() + patience_seconds
        while not _is_locked(lock.fileno()):
            if time.monotonic() > deadline:
                raise OSError(f"another marketplace keeps its numbers in {path}")
            time.sleep(LOCK_LOOK_SECONDS)
        yield


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(content)
    draft.replace(path)


async def save_forever(market: Market, path: Path) -> None:
    """Saves what changed, at most every SAVE_SECONDS. A failed save is logged and tried again."""
    saved_version = -1
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        if market.state.version == saved_version:
            continue
        version = market.state.version
        try:
            await asyncio.to_thread(write_file, path, dump_market(market, clean=False))
            saved_version = version
        except OSError:
            logger.exception("the sandbox marketplace could not save %s", path)
