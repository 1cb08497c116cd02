"""Orders from the API: those that changed in a window, or one, with all their lines."""

from __future__ import annotations

import datetime
from typing import Any

from adapters.channels.base import ChannelOrder, OrderPage
from adapters.channels.shopify.client import ShopifyClient, TooCostly
from adapters.channels.shopify.list_items import read_cursor
from adapters.channels.shopify.read_order import read_node

ORDERS_MAX = 25
LINES_MAX = 10
"""Lines read with an order; of the few that have more, the rest is read by itself."""
LINE_PAGE = 200
LINE_PAGES_MAX = 50
ORDER_COST = 2 + 2 + (2 + LINES_MAX) + (2 + 10)
PART_PREFIX = "gid://shopify/FulfillmentOrder/"
_FIELDS = """
fragment OrderFields on Order {
  id
  name
  createdAt
  updatedAt
  cancelledAt
  email
  phone
  currencyCode
  totalPriceSet { shopMoney { amount } }
  displayFinancialStatus
  shippingAddress {
    name company address1 address2 city province provinceCode zip countryCodeV2 latitude longitude phone
  }
  lineItems(first: 10) { ...Lines }
  fulfillmentOrders(first: 10) { nodes { fulfillBy status requestStatus } }
}
"""
_LINES = """
fragment Lines on LineItemConnection {
  nodes { id sku title currentQuantity unfulfilledQuantity }
  pageInfo { hasNextPage endCursor }
}
"""
_PULL = (
    """
query PullOrders($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) {
    nodes { ...OrderFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _FIELDS
    + _LINES
)
_READ = "query ReadOrder($id: ID!) { order(id: $id) { ...OrderFields } }" + _FIELDS + _LINES
_READ_PART = "query ReadPart($id: ID!) { fulfillmentOrder(id: $id) { order { ...OrderFields } } }" + _FIELDS + _LINES
_MORE = (
    """
query MoreLines($id: ID!, $first: Int!, $after: String) {
  order(id: $id) { lineItems(first: $first, after: $after) { ...Lines } }
}
"""
    + _LINES
)


async def pull_orders(
    client: ShopifyClient, since: datetime.datetime, until: datetime.datetime, cursor: str | None
) -> OrderPage:
    """One page, oldest change first. The vendor's search lags by seconds: callers overlap their windows."""
    end = until + datetime.timedelta(seconds=1)  # times are written to the second: rounded down here, up there
    query = f"updated_at:>='{_write_time(since)}' AND updated_at:<='{_write_time(end)}'"
    first = ORDERS_MAX
    while True:
        try:
            given = {"first": first, "after": cursor, "query": query}
            data = await client.call(_PULL, given, cost=2 + first * ORDER_COST)
            break
        except TooCostly:
            if first == 1:
                raise
            first //= 2
    page = data["orders"]
    orders = [await _complete(client, node) for node in page["nodes"]]
    return OrderPage(tuple(orders), read_cursor(page["pageInfo"]))


async def pull_order(client: ShopifyClient, external_id: str) -> ChannelOrder | None:
    """By its own id or that of one of its fulfilment orders; None when the store does not know it."""
    if external_id.startswith(PART_PREFIX):
        data = await client.call(_READ_PART, {"id": external_id}, cost=1 + ORDER_COST)
        node = (data["fulfillmentOrder"] or {}).get("order")
    else:
        node = (await client.call(_READ, {"id": external_id}, cost=ORDER_COST))["order"]
    return None if node is None else await _complete(client, node)


async def _complete(client: ShopifyClient, node: dict[str, Any]) -> ChannelOrder:
    page = node["lineItems"]
    lines = list(page["nodes"])
    for _ in range(LINE_PAGES_MAX):
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
        given = {"id": node["id"], "first": LINE_PAGE, "after": after}
        data = await client.call(_MORE, given, cost=3 + LINE_PAGE)
        if data["order"] is None:
            break
        page = data["order"]["lineItems"]
        lines += page["nodes"]
    return read_node(node, lines)


def _write_time(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
