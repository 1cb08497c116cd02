"""Orders changed in a window, by offset, without losing one when the set moves under the pages.

An order that changes while the window is read leaves its place, and everything after it moves up: the record at the
border of two pages would never be seen. So pages overlap, and a page must show at least one of the orders that the
page before ended with; what follows it then is complete. If it shows none, too much moved, and the window is read
from its start again. The order that moved is in the next window, which overlaps this one.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.channels.base import ChannelOrder, OrderPage
from adapters.channels.ebay.announce_limits import FULFILLMENT
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_order import PATH, parse_order
from adapters.channels.ebay.read_time import write_time
from adapters.channels.ebay.request import Request, as_object
from domain.errors import CauseClass, Fault

PAGE_ORDERS = 200
OVERLAP_ORDERS = 20
RESTARTS_MAX = 3
PAGES_MAX = 1_000
# eBay refuses a date in its future, and its clock is not ours.
OPEN_END_SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cursor:
    """`anchors`: what the page before ended with, by id and version, since an order that changed may come again at the
    end. `filter`: the same for all pages of a window.
    """

    filter: str
    offset: int = 0
    anchors: tuple[str, ...] = ()
    restarts: int = 0
    pages: int = 0

    def write(self) -> str:
        return orjson.dumps([self.filter, self.offset, self.anchors, self.restarts, self.pages]).decode()


def read_cursor(text: str) -> Cursor:
    """Raises a permanent `Fault` for what `Cursor.write` did not write."""
    try:
        criteria, offset, anchors, restarts, pages = orjson.loads(text)
        return Cursor(str(criteria), int(offset), tuple(anchors), int(restarts), int(pages))
    except (TypeError, ValueError):
        raise Fault("That is no cursor of pulled orders.", transient=False, cause=CauseClass.VALIDATION) from None


async def pull_orders(client: EbayClient, since: datetime, until: datetime, text: str | None) -> OrderPage:
    """One page. An order may come twice: its version tells. Raises `Fault`."""
    cursor = Cursor(_write_filter(since, until)) if text is None else read_cursor(text)
    if cursor.pages >= PAGES_MAX:
        raise Fault("The window holds too many orders: ask for a shorter one.", transient=False)
    params = {"filter": cursor.filter, "limit": str(PAGE_ORDERS), "offset": str(cursor.offset)}
    reply = await client.call(Request("GET", PATH, FULFILLMENT, params=params))
    body = as_object(reply.body)
    raw = body.get("orders")
    if not isinstance(raw, list):
        raise Fault("eBay's answer has no orders.", transient=True, cause=CauseClass.OUTAGE)
    orders = tuple(order for entry in raw if (order := _read_one(entry)) is not None)
    places = [_place_of(entry) for entry in raw]
    if cursor.anchors and not set(cursor.anchors) & set(places):
        return OrderPage(orders, _restart(cursor).write())
    following = _follow(cursor, places, more=_has_more(body, cursor.offset + len(raw)))
    return OrderPage(orders, following.write() if following else None)


def _read_one(raw: Any) -> ChannelOrder | None:
    """None for what cannot be read: one broken order must not hide all that come after it. Its event names it too."""
    try:
        return parse_order(raw)
    except Fault:
        logger.warning("an order of eBay's cannot be read: %s", _place_of(raw))
        return None


def _place_of(raw: Any) -> str:
    """An order and its version."""
    order = as_object(raw)
    return f"{order.get('orderId')}@{order.get('lastModifiedDate')}"


def _write_filter(since: datetime, until: datetime) -> str:
    """By change only: with both dates given, eBay would go by the creation alone."""
    open_end = until.astimezone(UTC).timestamp() > time.time() - OPEN_END_SECONDS
    return f"lastmodifieddate:[{write_time(since)}..{'' if open_end else write_time(until)}]"


def _has_more(body: dict[str, Any], seen: int) -> bool:
    total = body.get("total")
    return bool(body.get("next")) or (isinstance(total, int) and seen < total)


def _follow(cursor: Cursor, places: list[str], *, more: bool) -> Cursor | None:
    if not more or not places:
        return None
    anchors = tuple(places[-OVERLAP_ORDERS:])
    offset = cursor.offset + len(places) - len(anchors)
    return Cursor(cursor.filter, offset, anchors, cursor.restarts, cursor.pages + 1)


def _restart(cursor: Cursor) -> Cursor:
    if cursor.restarts >= RESTARTS_MAX:
        message = "eBay's orders move faster than they can be read: ask for a shorter window."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE)
    return Cursor(cursor.filter, restarts=cursor.restarts + 1, pages=cursor.pages + 1)
