"""What is due: quantities to apply, orders to release, feeds to move on."""

from __future__ import annotations

import asyncio
import logging

from adapters.sandbox.amazon.change_stock import apply_submission
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.place_order import release_order
from adapters.sandbox.amazon.process_feeds import finish_feed, start_feed
from adapters.sandbox.amazon.state import Due, now

IDLE_SECONDS = 5.0

logger = logging.getLogger(__name__)


def work_off(market: Market) -> None:
    """Everything that is due by now, oldest first. Also called before each answer, so that no answer is behind."""
    moment = now()
    while (due := market.state.pop_due(moment)) is not None:
        _do(market, due)


def _do(market: Market, due: Due) -> None:
    match due.kind:
        case "apply":
            apply_submission(market, due.data)
        case "release":
            release_order(market, due.data["order_id"])
        case "start_feed":
            start_feed(market, due.data["feed_id"])
        case "finish_feed":
            finish_feed(market, due.data["feed_id"])
        case _:
            logger.error("nothing is done about %s", due.kind)


async def work_off_forever(market: Market) -> None:
    while True:
        market.wake.clear()
        work_off(market)
        pause = min(IDLE_SECONDS, max(0.0, market.state.due[0].at - now())) if market.state.due else IDLE_SECONDS
        try:
            async with asyncio.timeout(pause):
                await market.wake.wait()
        except TimeoutError:
            continue
