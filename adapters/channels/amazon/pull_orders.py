"""Orders by when they last changed. Amazon withholds the last two minutes, so a page says how far it reaches."""

from __future__ import annotations

import datetime

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.read_order import INCLUDED_DATA, read_order
from adapters.channels.base import ChannelOrder, OrderPage
from domain.errors import CauseClass, Fault

ORDERS_MAX = 100


async def pull_orders(
    api: AmazonApi,
    since: datetime.datetime,
    until: datetime.datetime,
    cursor: str | None,
    now: datetime.datetime,
) -> OrderPage:
    """Merchant-fulfilled orders; FBA's take from Amazon's stock. Raises `Fault`.

    A cursor repeats the window of its first page, as the vendor demands; its token lives 24 hours.
    """
    if cursor is None:
        reach = min(round_up(until), cut_time(now - datetime.timedelta(seconds=api.connection.search_lag_seconds)))
        if reach <= since:
            return OrderPage((), None, since)
        before, token = write_time(reach), None
    else:
        before, _, token = cursor.partition(" ")
        reach = _read_cursor_time(before)
    params = {
        "lastUpdatedAfter": write_time(since),
        "lastUpdatedBefore": before,
        "marketplaceIds": api.connection.marketplace_id,
        "fulfilledBy": "MERCHANT",
        "includedData": INCLUDED_DATA,
        "maxResultsPerPage": str(ORDERS_MAX),
    }
    if token:
        params["paginationToken"] = token
    found = await api.call("searchOrders", "GET", write_path("orders", "2026-01-01", "orders"), params=params)
    following = (found.get("pagination") or {}).get("nextToken")
    return OrderPage(
        tuple(read_order(raw) for raw in found.get("orders") or []),
        f"{before} {following}" if following else None,
        None if reach >= until else reach,
    )


def cut_time(moment: datetime.datetime) -> datetime.datetime:
    """To the milliseconds that Amazon is told: what a window is said to reach to is what was asked for."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def round_up(moment: datetime.datetime) -> datetime.datetime:
    return cut_time(moment + datetime.timedelta(microseconds=999))


def write_time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_cursor_time(value: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        raise Fault("The cursor is none of Amazon's.", transient=False, cause=CauseClass.VALIDATION) from None


async def pull_order(api: AmazonApi, external_id: str) -> ChannelOrder | None:
    """None when Amazon does not know it. Raises `Fault`."""
    raw = await read_raw_order(api, external_id, INCLUDED_DATA)
    return None if raw is None else read_order(raw)


async def read_raw_order(api: AmazonApi, external_id: str, included_data: str) -> dict[str, object] | None:
    try:
        found = await api.call(
            "getOrder",
            "GET",
            write_path("orders", "2026-01-01", "orders", external_id),
            params={"includedData": included_data},
        )
    except Fault as fault:
        if fault.cause is CauseClass.MAPPING:
            return None
        raise
    order = found.get("order")
    if not isinstance(order, dict):
        raise Fault("Amazon getOrder: the answer holds no order.", transient=True, cause=CauseClass.OUTAGE)
    return order
