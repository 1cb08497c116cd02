"""What others sell while a channel is slow to hear of it is held back there, and given back when it is over."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.channels.adapt_buffers import adapt_buffers
from app.channels.measure_lag import note_lags
from app.channels.note_sales import MEMORY_SECONDS, decay_velocities
from app.orders.take_order import take_order
from app.settings import Settings
from tests.channel_company import ChannelCompany, open_channel_company

VELOCITY = "{ listings { nodes { channel { code } sku { code } velocity adaptiveBuffer published } } }"


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        await opened.execute("UPDATE channels SET adaptive = true WHERE code = 'market'")
        await opened.settle("shop", "market")
        await opened.execute("DELETE FROM channel_lags")
        yield opened


async def sell(company: ChannelCompany, code: str, quantity: int, number: int = 1) -> None:
    placed = datetime.datetime.now(datetime.UTC)
    lines = (ChannelOrderLine("1", "SKU-0", None, quantity), ChannelOrderLine("2", None, "gift wrap", 1))
    order = ChannelOrder(f"order-{number}", None, placed, lines)
    await take_order(company.state, (await company.channel(code)).id, order)


async def lag(company: ChannelCompany, code: str, seconds: float) -> None:
    async with company.state.database.hot.acquire() as connection:
        await note_lags(connection, (await company.channel(code)).id, [seconds] * 20)


async def row(company: ChannelCompany, code: str, column: str) -> float:
    query = f"""SELECT l.{column} FROM listings l JOIN channels c ON c.id = l.channel_id JOIN skus s ON s.id = l.sku_id
      WHERE c.code = '{code}' AND s.code = 'SKU-0'"""
    return float(await company.value(query))


async def test_an_order_raises_the_velocity_and_time_lowers_it(company: ChannelCompany) -> None:
    await sell(company, "shop", 3)
    await sell(company, "shop", 3)
    assert await row(company, "shop", "velocity") == pytest.approx(3 / MEMORY_SECONDS, rel=1e-3), (
        "one order, told twice"
    )
    await sell(company, "shop", 2, 2)
    assert await row(company, "shop", "velocity") == pytest.approx(5 / MEMORY_SECONDS, rel=1e-3)
    assert await row(company, "market", "velocity") == 0
    found = (await company.admin.data(VELOCITY))["listings"]["nodes"]
    (node,) = [one for one in found if one["velocity"]]
    assert (node["channel"]["code"], node["sku"]["code"]) == ("shop", "SKU-0")
    assert node["velocity"] == pytest.approx(5, rel=1e-2), "units an hour"
    await company.execute(f"UPDATE listings SET velocity_at = velocity_at - interval '{MEMORY_SECONDS} seconds'")
    assert await decay_velocities(company.state.database) == 1
    assert await row(company, "shop", "velocity") == pytest.approx(5 / MEMORY_SECONDS / 2.71828, rel=1e-2)
    await company.execute("UPDATE listings SET velocity_at = velocity_at - interval '2 days'")
    await decay_velocities(company.state.database)
    assert await row(company, "shop", "velocity") == 0
    assert await decay_velocities(company.state.database) == 0
    await company.execute("UPDATE listings SET velocity_at = now() - interval '3 years'")
    found = (await company.admin.data(VELOCITY))["listings"]["nodes"]
    assert {one["velocity"] for one in found} == {0.0}


async def test_velocity_elsewhere_times_lag_is_held_back(company: ChannelCompany) -> None:
    await company.execute(
        "UPDATE listings SET velocity = 1.0, velocity_at = clock_timestamp() WHERE external_id = 'item-0'"
    )
    await lag(company, "market", 2.9)
    await lag(company, "shop", 30.0)
    assert await adapt_buffers(company.state) == 1
    assert await row(company, "market", "adaptive_buffer") == 3
    assert await row(company, "market", "desired") == 7
    assert await row(company, "shop", "adaptive_buffer") == 0, "it is opt-in"
    await company.settle("market")
    assert company.shops["market"].quantities["item-0", ""] == 7
    assert await adapt_buffers(company.state) == 0
    await company.execute("DELETE FROM channel_lags")
    await lag(company, "market", 60.0)
    assert await adapt_buffers(company.state) == 1
    assert await row(company, "market", "desired") == 5, "at most half is held back"
    await company.execute("DELETE FROM channel_lags")
    assert await adapt_buffers(company.state) == 1
    assert await row(company, "market", "desired") == 10


async def test_a_slow_seller_keeps_its_last_unit_on_sale(company: ChannelCompany) -> None:
    await company.execute("UPDATE listings SET velocity = 0.01, velocity_at = clock_timestamp()")
    await lag(company, "market", 1.0)
    assert await adapt_buffers(company.state) == 0


async def test_a_channel_that_is_down_is_the_slowest(company: ChannelCompany) -> None:
    lines = [{"sku": "SKU-1", "delta": -1}]
    await company.admin.mutate("stockAdjust", "", warehouse="NYC", reason="COUNT", lines=lines)
    await company.relay()
    await company.execute(
        "UPDATE listings SET dirty_since = dirty_since - interval '40 seconds' WHERE dirty_since IS NOT NULL"
    )
    await company.execute(
        "UPDATE listings SET velocity = 0.1, velocity_at = clock_timestamp() WHERE external_id = 'item-0'"
    )
    assert await adapt_buffers(company.state) == 1
    assert await row(company, "market", "adaptive_buffer") == 5


async def test_relief_comes_slowly_and_switching_off_gives_everything_back(company: ChannelCompany) -> None:
    await company.execute(
        "UPDATE listings SET velocity = 1.0, velocity_at = clock_timestamp() WHERE external_id = 'item-0'"
    )
    await lag(company, "market", 4.9)
    await adapt_buffers(company.state)
    assert await row(company, "market", "adaptive_buffer") == 5
    await company.execute("DELETE FROM channel_lags")
    await lag(company, "market", 3.5)
    assert await adapt_buffers(company.state) == 0
    await company.admin.mutate("channelUpdate", "", channel="market", adaptive=False)
    assert await adapt_buffers(company.state) == 1
    assert (await row(company, "market", "adaptive_buffer"), await row(company, "market", "desired")) == (0, 10)
