"""Returns of the External Fulfillment API: what is coming back, and what has become of it since.

Amazon lists them by when they were created, so that a change of an older one is only seen by asking again from as long
ago: callers ask from as far back as a return can take. One record is one item of a return.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import orjson

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.pull_orders import write_time
from adapters.channels.base import InboundEvent
from adapters.channels.news import ChannelNews, ReturnNotice, ReturnSeen
from adapters.channels.returns import ReturnPage
from domain.errors import CauseClass, Fault

EXTERNAL_RETURN = "EXTERNAL_RETURN"
"""The topic that a record is stored under: Amazon has no notification of it."""
RETURNS_MAX = 100
ENDED = frozenset({"CANCELLED", "REJECTED"})
"""Nothing comes. A pick-up that the customer called off may still be made another day."""
INSTEAD = frozenset({"EXCHANGE", "REPLACEMENT"})


async def list_returns(api: AmazonApi, since: datetime.datetime, cursor: str | None) -> ReturnPage:
    """One page, in the vendor's order; it may be empty and not the last. Raises `Fault`."""
    params = {"createdSince": write_time(since), "maxResults": str(RETURNS_MAX)}
    if cursor is not None:
        params["nextToken"] = cursor
    path = write_path("externalFulfillment", "2024-09-11", "returns")
    found = await api.call("listReturns", "GET", path, params=params)
    records = found.get("returns") or []
    return ReturnPage(tuple(_write_event(raw) for raw in records), found.get("nextToken") or None)


def _write_event(raw: Any) -> tuple[InboundEvent, bytes]:
    """Known by its id and when it changed, so that each state of it is stored once."""
    try:
        changed = datetime.datetime.fromisoformat(raw["lastUpdatedDateTime"])
        at = changed if changed.tzinfo else changed.replace(tzinfo=datetime.UTC)
        event = InboundEvent(f"return:{raw['id']}@{write_time(at)}", EXTERNAL_RETURN, at)
    except (KeyError, TypeError, ValueError) as error:
        message = f"Amazon's list of returns cannot be read ({type(error).__name__})."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from None
    return event, orjson.dumps(raw)


def read_return(raw: dict[str, Any]) -> Sequence[ChannelNews]:
    """Empty for one that names no order of the marketplace. Raises KeyError, TypeError, ValueError, AttributeError."""
    details = raw["marketplaceChannelDetails"]
    order, sku = details.get("customerOrderId"), raw.get("merchantSku") or details.get("channelSku")
    if not order:
        return ()
    instead = details.get("exchangeOrderId") or raw["returnSubType"] if raw.get("returnSubType") in INSTEAD else None
    return (
        ReturnSeen(
            ReturnNotice(
                *(str(raw["id"]), str(order)),
                items=((str(sku), int(raw.get("numberOfUnits") or 1)),) if sku else (),
                reason=raw["returnMetadata"].get("returnReason") or None,
                cancelled=raw["status"] in ENDED,
                exchange=None if instead is None else str(instead),
            )
        ),
    )
