"""The sources of every subscription field."""

from __future__ import annotations

from api.channels.subscriptions import FailureSource, ListingSource
from api.exceptions.subscriptions import CaseSource
from api.floor.subscriptions import ADJUSTMENTS, COUNTS, RETURNS, TRANSFERS, FloorSource
from api.fulfillment.subscriptions import QueueSource
from api.orders.subscriptions import OrderSource
from api.replenishment.subscriptions import AlertSource
from api.source import Source
from api.stock.subscriptions import StockSource
from app.state import State


def open_sources(state: State) -> dict[str, Source]:
    """By the name of the field."""
    return {
        "stockChanged": StockSource(state),
        "listingChanged": ListingSource(state),
        "syncFailures": FailureSource(state),
        "exceptionChanged": CaseSource(state),
        "fulfillmentQueue": QueueSource(state),
        "orderChanged": OrderSource(state),
        "transferChanged": FloorSource(state, TRANSFERS),
        "returnChanged": FloorSource(state, RETURNS),
        "adjustmentChanged": FloorSource(state, ADJUSTMENTS),
        "countChanged": FloorSource(state, COUNTS),
        "alertRaised": AlertSource(state),
    }
