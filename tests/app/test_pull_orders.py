"""The catch-up poll: quota, outages, restarts and any page order cost a page at most, and no order is left out."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine, OrderPage, Throttled
from adapters.channels.memory import MemoryChannel
from app.channels import process_events
from app.channels import pull_orders as module
from app.channels.open_channel import OpenChannel
from app.channels.openers import OPENERS, Opener
from app.channels.pull_orders import FAILURES_MAX, WINDOW_AGE_MAX, pull_orders
from app.returns.note_refunds import take_seen_order
from app.state import State
from domain.errors import CauseClass, Fault
from tests.seed import add_stock, make_catalog

ORDERS = 12
PAGE = 2
_DUE = "UPDATE channel_health SET orders_polled_at = NULL"


@dataclass(slots=True)
class Paged(MemoryChannel):
    """Lists two orders a page, newest first. `trouble`: raised instead of a page, in turn."""

    trouble: dict[int, Exception] = field(default_factory=dict)
    asked: list[tuple[datetime.datetime, datetime.datetime, str | None]] = field(default_factory=list)
    told_until: datetime.datetime | None = None

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        self.asked.append((since, until, cursor))
        trouble = self.trouble.pop(len(self.asked), None)
        if trouble is not None:
            raise trouble
        start = int(cursor or 0)
        found = sorted(self.orders, key=lambda order: order.placed_at, reverse=True)
        more = start + PAGE < len(found)
        return OrderPage(tuple(found[start : start + PAGE]), str(start + PAGE) if more else None, self.told_until)


@dataclass
class Shop:
    state: State
    channel: OpenChannel
    vendor: Paged

    async def pull(self) -> tuple[int, float]:
        return await pull_orders(self.state, self.channel)

    async def value(self, query: str) -> Any:
        return await self.state.database.hot.fetchval(query)

    def cursors(self) -> list[str | None]:
        return [cursor for _, _, cursor in self.vendor.asked]


def make_orders(count: int) -> Sequence[ChannelOrder]:
    now = datetime.datetime.now(datetime.UTC)
    line = (ChannelOrderLine("1", "SKU-0", "Thing", 1),)
    return [ChannelOrder(f"o-{n}", f"#{n}", now - datetime.timedelta(minutes=count - n), line) for n in range(count)]


@pytest.fixture
async def shop(state: State) -> Shop:
    await make_catalog(state, ("BER",), 1)
    await add_stock(state, "BER", {"SKU-0": 100})
    channel_id = await state.database.hot.fetchval(
        "INSERT INTO channels (code, name, kind, status) VALUES ('shop', 'Shop', 'SHOPIFY', 'LIVE') RETURNING id"
    )
    await state.database.hot.execute("INSERT INTO channel_warehouses SELECT $1, id FROM warehouses", channel_id)
    vendor = Paged(orders=list(make_orders(ORDERS)))
    return Shop(state, OpenChannel(channel_id, "shop", "SHOPIFY", "LIVE", vendor), vendor)


async def count_orders(shop: Shop) -> int:
    return int(await shop.value("SELECT count(*) FROM orders"))


async def test_quota_that_ends_in_the_middle_costs_nothing(shop: Shop) -> None:
    shop.vendor.trouble = {3: Throttled("later", 0.4), 5: Throttled("later", 0.3)}
    assert await shop.pull() == (4, 0.4)
    assert await shop.value("SELECT orders_until IS NULL FROM channel_health"), "not believed before its end"
    assert await shop.pull() == (2, 0.3), "at once, not at the next poll"
    assert (await shop.pull())[0] == 6
    assert shop.cursors() == [None, "2", "4", "4", "6", "6", "8", "10"]
    assert len({(since, until) for since, until, _ in shop.vendor.asked}) == 1, "one window"
    assert await count_orders(shop) == ORDERS
    assert await shop.value("SELECT orders_window IS NULL AND orders_until IS NOT NULL FROM channel_health")
    assert await shop.pull() == (0, 0.0), "until it is due"


async def test_many_pages_are_taken_in_turns_whatever_their_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first: whoever went on from the newest order seen would never see the others."""
    monkeypatch.setattr(module, "PAGES_MAX", 2)
    shop.vendor.told_until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2)
    for turn in range(3):
        assert await shop.value("SELECT count(*) FROM channel_health WHERE orders_until IS NOT NULL") == 0, turn
        assert await shop.pull() == (4, 0.0)
    assert await count_orders(shop) == ORDERS
    assert await shop.value("SELECT orders_until FROM channel_health") == shop.vendor.told_until


async def test_an_outage_keeps_the_place_and_a_cursor_that_is_unknown_begins_again(shop: Shop) -> None:
    shop.vendor.trouble = {
        3: Fault("away", transient=True, cause=CauseClass.OUTAGE),
        4: Fault("no such page", transient=False, cause=CauseClass.VALIDATION),
    }
    assert await shop.pull() == (4, 1.0)
    for _ in range(2):
        await shop.state.database.hot.execute(_DUE)
        await shop.pull()
    assert shop.cursors() == [None, "2", "4", "4", None, "2", "4", "6", "8", "10"]
    assert await count_orders(shop) == ORDERS


async def test_a_page_that_never_comes_makes_the_window_begin_again(shop: Shop) -> None:
    away = Fault("away", transient=True, cause=CauseClass.OUTAGE)
    shop.vendor.trouble = dict.fromkeys(range(2, 2 + FAILURES_MAX), away)
    for _ in range(FAILURES_MAX + 1):
        await shop.pull()
        await shop.state.database.hot.execute(_DUE)
        await shop.state.database.hot.execute("UPDATE channel_circuits SET open_until = now()")
    assert shop.cursors()[: FAILURES_MAX + 2] == [None, *["2"] * FAILURES_MAX, None]
    assert await count_orders(shop) == ORDERS


async def test_an_order_that_cannot_be_taken_keeps_none_behind_it_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again as an event of its own, whose end is a case or the order."""
    sick = True

    async def take(state: State, channel_id: int, order: ChannelOrder) -> None:
        if sick and order.external_id == "o-9":
            raise ValueError("nobody thought of this")
        await take_seen_order(state, channel_id, order)

    monkeypatch.setattr(module, "take_seen_order", take)
    monkeypatch.setattr(process_events, "take_seen_order", take)
    monkeypatch.setitem(OPENERS, "SHOPIFY", Opener(lambda *_: shop.vendor, {}))
    for _ in range(2):
        assert (await shop.pull())[0] == ORDERS
        await shop.state.database.hot.execute(_DUE)
    assert await count_orders(shop) == ORDERS - 1
    assert await process_events.process_events(shop.state) == 1
    error = await shop.value("SELECT error FROM inbound_events WHERE topic = 'ORDER_PULLED'")
    assert "unexpected ValueError" in error
    sick = False
    await shop.state.database.hot.execute("UPDATE inbound_events SET next_attempt_at = NULL")
    assert await process_events.process_events(shop.state) == 1
    assert await count_orders(shop) == ORDERS
    assert await shop.value("SELECT processed_at IS NOT NULL AND error IS NULL FROM inbound_events")


async def test_an_old_window_begins_again(shop: Shop) -> None:
    shop.vendor.trouble = {2: Throttled("later", 0.4)}
    await shop.pull()
    await shop.state.database.hot.execute(
        "UPDATE channel_health SET orders_window = jsonb_set(orders_window, '{begun}', to_jsonb(now() - $1::interval))",
        WINDOW_AGE_MAX,
    )
    await shop.pull()
    assert shop.cursors()[:3] == [None, "2", None]
    assert await count_orders(shop) == ORDERS


async def test_another_worker_goes_on(shop: Shop) -> None:
    shop.vendor.trouble = {4: Throttled("later", 0.4)}
    await shop.pull()
    other = replace(shop, channel=replace(shop.channel, adapter=Paged(orders=shop.vendor.orders)))
    assert (await other.pull())[0] == 6
    assert await count_orders(shop) == ORDERS
