"""What Prometheus sees. Names follow its conventions: base units, `_total` for counters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from app.settings import Settings

log = structlog.get_logger()

REQUESTS = Counter("onhand_requests_total", "GraphQL operations", ["operation", "outcome"])
REQUEST_SECONDS = Histogram(
    "onhand_request_seconds",
    "Time to answer a GraphQL operation",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
MUTATIONS = Counter("onhand_mutations_total", "Mutations by what came of them: OK, or why not", ["mutation", "code"])
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
FEED_HORIZON_LAG_SECONDS = Gauge(
    "onhand_feed_horizon_lag_seconds", "How long the oldest running transaction has held back committed feed rows"
)
HUB_POLLS = Counter("onhand_hub_polls_total", "Reads of the change feed")
BROADCAST_RECONNECTS = Counter("onhand_broadcast_reconnects_total", "Reconnections to Redis")
BROADCAST_DROPPED = Counter("onhand_broadcast_dropped_total", "Rings that could not be published")
PUSH_LAG_SECONDS = Histogram(
    "onhand_push_lag_seconds",
    "From a new desired quantity to the channel's acknowledgement, by the lane that brought it",
    ["channel", "lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
SYNC_CALLS = Counter(
    "onhand_sync_calls_total",
    "Calls of channels by what came of them: OK, PART when some of it failed, or the cause",
    ["channel", "lane", "outcome"],
)
SYNC_CALL_SECONDS = Histogram(
    "onhand_sync_call_seconds",
    "How long such calls took",
    ["channel", "lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
QUOTA_WAITS = Counter("onhand_quota_waits_total", "Calls put off for want of quota", ["channel", "operation"])
QUOTA_WAIT_SECONDS = Counter(
    "onhand_quota_wait_seconds_total", "How long such calls were told to wait", ["channel", "operation"]
)
EXPOSURE_UNITS = Gauge(
    "onhand_oversell_exposure_units", "Units a channel may sell now that are not there, in the worst case", ["channel"]
)
LISTINGS = Gauge("onhand_listings", "Listings by state", ["channel", "state"])
ACCURACY = Gauge(
    "onhand_inventory_accuracy_ratio",
    "How right the books were in the last 30 days, as counts found them: by line, unit or value",
    ["warehouse", "by"],
)
CASES_OPEN = Gauge("onhand_exceptions_open", "Exception cases not resolved", ["severity"])
ALERTS = Counter("onhand_alerts_total", "Alerts by what came of them", ["target", "outcome"])
ALERT_DELAY_SECONDS = Histogram(
    "onhand_alert_delay_seconds",
    "From opening the newest case of an alert to its delivery at the first attempt",
    buckets=(0.5, 1, 2, 3, 5, 10, 30, 60, 600, 3600),
)


@contextmanager
def serving_metrics(settings: Settings) -> Iterator[None]:
    """Serve this process's own metrics on `metrics_port` until the block ends; without a port, do nothing.

    API processes that share a port need it as workers do: `/metrics` there is of whichever process answers.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.host)
    except OSError as error:  # not worth the process: what it does matters more than what is seen of it
        log.warning("metrics are not served", port=settings.metrics_port, error=str(error))
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
