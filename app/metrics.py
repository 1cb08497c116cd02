"""What Prometheus sees. Names follow its conventions: base units, `_total` for counters."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("onhand_requests_total", "GraphQL operations", ["operation", "outcome"])
REQUEST_SECONDS = Histogram(
    "onhand_request_seconds",
    "Time to answer a GraphQL operation",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter("onhand_refusals_total", "Mutations refused", ["mutation", "code"])
COMBINE_BATCH = Histogram(
    "onhand_combine_batch_size",
    "Stock commands sharing one transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
SUBSCRIBERS = Gauge("onhand_subscribers", "Live subscriptions", ["field"])
DELIVERIES = Counter("onhand_deliveries_total", "Events delivered to subscribers", ["field"])
CONFLATED = Counter("onhand_conflated_events_total", "Events superseded before a slow subscriber took them", ["field"])
FEED_LAG_SECONDS = Histogram(
    "onhand_feed_lag_seconds",
    "From writing a feed row to delivering it",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
HUB_POLLS = Counter("onhand_hub_polls_total", "Reads of the change feed")
BROADCAST_RECONNECTS = Counter("onhand_broadcast_reconnects_total", "Reconnections to Redis")
BROADCAST_DROPPED = Counter("onhand_broadcast_dropped_total", "Rings that could not be published")
PUSH_LAG_SECONDS = Histogram(
    "onhand_push_lag_seconds",
    "From a new desired quantity to the channel's acknowledgement",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
