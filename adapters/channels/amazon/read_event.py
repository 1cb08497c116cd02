"""What a notification means. Amazon writes envelopes in PascalCase and in camelCase: names are read in both."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from adapters.channels.amazon.connection import FEED_TYPE, AmazonConnection
from adapters.channels.amazon.list_returns import EXTERNAL_RETURN, read_return
from adapters.channels.base import InboundEvent, Observation
from adapters.channels.news import BatchFinished, ChannelNews, OrderToPull, QuantitySeen
from domain.errors import CauseClass, Fault

ORDER_CHANGE = "ORDER_CHANGE"
FEED_PROCESSING_FINISHED = "FEED_PROCESSING_FINISHED"
MFN_QUANTITY_CHANGE = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
UNREADABLE = "UNREADABLE"


def pick(raw: Any, name: str) -> Any:
    """The field, whichever way its first letter is written. Raises KeyError, TypeError."""
    return raw[name] if name in raw else raw[name[:1].lower() + name[1:]]


def read_envelope(body: bytes) -> InboundEvent:
    """Identity, topic and time. What is no notification is one event too, known by its content: `UNREADABLE`."""
    try:
        raw = orjson.loads(body)
        event_id = str(pick(pick(raw, "NotificationMetadata"), "NotificationId"))
        topic = str(pick(raw, "NotificationType"))
    except (ValueError, LookupError, TypeError):
        return InboundEvent(hashlib.sha256(body).hexdigest(), UNREADABLE)
    return InboundEvent(event_id, topic, _read_time(raw))


def _read_time(raw: dict[str, Any]) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromisoformat(str(pick(raw, "EventTime")))
    except (LookupError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def read_event(connection: AmazonConnection, topic: str, body: bytes) -> Sequence[ChannelNews]:
    """Empty for a topic, seller or stock that is not this connection's. Raises a permanent `Fault`."""
    readers = {
        ORDER_CHANGE: _read_order_change,
        FEED_PROCESSING_FINISHED: _read_feed_finished,
        MFN_QUANTITY_CHANGE: _read_quantity_change,
    }
    reader = readers.get(topic)
    if reader is None and topic not in (UNREADABLE, EXTERNAL_RETURN):
        return ()
    try:
        if topic == EXTERNAL_RETURN:
            return read_return(orjson.loads(body))
        payload = pick(orjson.loads(body), "Payload")
        return reader(connection, payload) if reader else ()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"Amazon's {topic} notification cannot be read ({type(error).__name__})."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from None


def _read_order_change(connection: AmazonConnection, payload: Any) -> Sequence[ChannelNews]:
    """It says which order changed, not all that an order says: it must be read."""
    change = pick(payload, "OrderChangeNotification")
    ours = pick(change, "SellerId") == connection.seller_id
    summary = pick(change, "Summary")
    here = pick(summary, "MarketplaceId") == connection.marketplace_id
    if not (ours and here) or pick(summary, "FulfillmentType") != "MFN":
        return ()
    return (OrderToPull(str(pick(change, "AmazonOrderId"))),)


def _read_feed_finished(connection: AmazonConnection, payload: Any) -> Sequence[ChannelNews]:
    finished = pick(payload, "FeedProcessingFinishedNotification")
    seller = finished.get("sellerId", connection.seller_id)
    if seller != connection.seller_id or pick(finished, "FeedType") != FEED_TYPE:
        return ()
    return (BatchFinished(str(pick(finished, "FeedId"))),)


def _read_quantity_change(connection: AmazonConnection, payload: Any) -> Sequence[ChannelNews]:
    """Also the echo of our own write: it does not say who changed the quantity."""
    ours = pick(payload, "SellerId") == connection.seller_id
    if not ours or pick(payload, "FulfillmentChannelCode") != connection.fulfillment_channel:
        return ()
    return (QuantitySeen(Observation(str(pick(payload, "Sku")), int(pick(payload, "Quantity")))),)
