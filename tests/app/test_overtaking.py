"""A fall to zero passes a bulk write that is under way, whichever of the two the channel applies last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from cryptography.fernet import Fernet

from adapters.channels.base import QuantityWrite, WriteResult
from adapters.channels.memory import MemoryChannel
from app.channels.claim_listings import Lane
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.listing_state import EXPOSURE, OF_LISTING, STOCK_OF_LISTING
from app.channels.push_quantities import push_quantities
from app.channels.relay_stock import relay_stock
from app.channels.run_channels import list_channels
from app.channels.settle_batches import settle_batches
from app.settings import Settings
from app.state import open_state
from tests.adapters.ebay.market import CREDENTIALS, Market, open_market
from tests.app.test_sync_engine import Setting, setting
from tests.seed import add_stock, make_catalog

__all__ = ["setting"]

_EXPOSURE = f"SELECT {EXPOSURE} FROM listings l {OF_LISTING} {STOCK_OF_LISTING} WHERE l.external_id = 'item-0'"
_HURRY = "UPDATE listings SET overtaken_until = now() - interval '1 second', next_attempt_at = NULL"


@dataclass(slots=True)
class Absolute(MemoryChannel):
    """Writes whatever it showed before. A bulk write arrives when `gate` opens; `arrived` when it was sent."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        if not urgent:
            self.arrived.set()
            await self.gate.wait()
        return await MemoryChannel.set_quantities(
            self, [replace(write, expected=None) for write in writes], urgent=urgent
        )


@dataclass
class Race:
    """Twenty units are shown and more are on their way to the channel, when the last one is sold."""

    setting: Setting
    shop: Absolute
    bulk: asyncio.Task[int]

    async def sell_out(self) -> None:
        await add_stock(self.setting.state, "BER", {"SKU-0": -15})
        await add_stock(self.setting.state, "NYC", {"SKU-0": -10})
        await self.setting.relay()

    async def push_zero(self) -> int:
        return await self.setting.push(Lane.ZERO, "another")

    async def row(self, columns: str) -> tuple[object, ...]:
        found: tuple[object, ...] = (await self.setting.rows(columns))[0]
        return found


@asynccontextmanager
async def racing(setting: Setting, **options: float) -> AsyncIterator[Race]:
    shop = Absolute(**options)  # type: ignore[arg-type]
    shop.gate.set()
    setting = replace(setting, shop=shop, channel=replace(setting.channel, adapter=shop))
    await setting.converge()
    shop.gate.clear()
    shop.arrived.clear()
    await add_stock(setting.state, "BER", {"SKU-0": 5})
    await setting.relay()
    bulk = asyncio.create_task(setting.push(owner="one"))
    await shop.arrived.wait()
    try:
        yield Race(setting, shop, bulk)
    finally:
        bulk.cancel()
        await asyncio.wait([bulk])


async def test_the_bulk_write_is_applied_last(setting: Setting) -> None:
    async with racing(setting) as race:
        await race.sell_out()
        assert await race.push_zero() == 1
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.row("acknowledged, desired_version > acknowledged_version") == (0, True), "it is not believed"
        assert await setting.state.database.hot.fetchval(_EXPOSURE) == 25, "what may still be applied"
        assert await race.push_zero() == 0, "nor is it repeated all the time"
        race.shop.gate.set()
        assert await race.bulk == 1
        assert race.shop.quantities["item-0", ""] == 25
        assert await race.push_zero() == 1, "at once"
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.row("desired_version = acknowledged_version, uncertain, overtaken_owner") == (
            True,
            False,
            None,
        )
        assert await setting.state.database.hot.fetchval(_EXPOSURE) == 0


async def test_the_zero_is_under_way_when_the_bulk_write_ends(setting: Setting) -> None:
    async with racing(setting) as race:
        await race.sell_out()

        async def finish_bulk(_: Sequence[QuantityWrite]) -> None:
            race.shop.after = nothing
            race.shop.gate.set()
            await race.bulk

        race.shop.after = finish_bulk
        await race.push_zero()
        assert race.shop.quantities["item-0", ""] == 25, "applied in between"
        assert await race.push_zero() == 1
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.push_zero() == 0


async def nothing(_: Sequence[QuantityWrite]) -> None: ...


async def test_the_worker_of_the_bulk_write_dies(setting: Setting) -> None:
    async with racing(setting) as race:
        await race.sell_out()
        await race.push_zero()
        race.bulk.cancel()
        race.shop.quantities["item-0", ""] = 25  # the write was on its way
        assert await race.push_zero() == 0
        await setting.state.database.hot.execute(_HURRY)  # the dead worker's lease is over
        assert await race.push_zero() == 1
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.row("desired_version = acknowledged_version") == (True,)


async def test_the_bulk_write_is_accepted_and_applied_later(setting: Setting) -> None:
    async with racing(setting) as race:
        await race.sell_out()
        await race.push_zero()
        race.shop.accepts_only = True
        race.shop.gate.set()
        await race.bulk
        assert await race.row("receipt IS NOT NULL, receipt_quantity") == (True, 25)
        assert await race.push_zero() == 1
        await settle_batches(race.setting.state, race.setting.channel)
        assert race.shop.quantities["item-0", ""] == 25
        await race.setting.converge()
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.row("desired_version = acknowledged_version") == (True,)


async def test_stock_comes_back_before_the_bulk_write_ends(setting: Setting) -> None:
    """The next bulk write waits for the one that was overtaken: it would race with it like the zero did."""
    async with racing(setting) as race:
        await race.sell_out()
        await race.push_zero()
        await add_stock(setting.state, "BER", {"SKU-0": 7})
        await race.setting.relay()
        assert await race.setting.push(owner="third") == 0
        race.shop.gate.set()
        await race.bulk
        assert race.shop.quantities["item-0", ""] == 25
        await race.setting.converge()
        assert race.shop.quantities["item-0", ""] == 7


async def test_a_long_upload_keeps_its_lease(setting: Setting) -> None:
    """It is no time-out, and nobody else sends the same meanwhile."""
    setting.state.settings = setting.state.settings.model_copy(update={"push_lease_seconds": 0.6})
    async with racing(setting, patience=20.0) as race:
        await asyncio.sleep(1.5)
        assert await race.setting.push(owner="third") == 0
        await race.sell_out()
        assert await race.push_zero() == 1
        await asyncio.sleep(1.0)
        assert await race.row("overtaken_until > now()") == (True,), "what was overtaken is waited for, too"
        race.shop.gate.set()
        assert await race.bulk == 1
        await race.setting.converge()
        assert race.shop.quantities["item-0", ""] == 0
        assert await race.setting.cases() == []
        assert set(await race.setting.rows("attempts, error")) == {(0, None)}


async def market_is_late(market: Market) -> None:
    """The call that will be late has come."""
    while not (await market.state())["faults"]["struck"]:  # noqa: ASYNC110 - it is another program
        await asyncio.sleep(0.01)


async def test_ebay_answers_the_bulk_call_late(settings: Settings) -> None:
    """eBay writes absolute numbers: the late call undoes the zero, and the zero is sent again."""
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    secrets = {
        "client_id": CREDENTIALS.client_id,
        "client_secret": CREDENTIALS.client_secret,
        "refresh_token": CREDENTIALS.refresh_token,
    }
    async with open_market() as market, open_state(sealed, "onhand tests") as state:
        await make_catalog(state, ("BER",), ["TEA-1", "CUP-1"])
        await add_stock(state, "BER", {"TEA-1": 8, "CUP-1": 4})
        config = {"base_url": market.url, "out_of_stock_control": True}
        async with state.database.hot.acquire() as connection:
            wanted = ChannelConnect("ebay", "eBay", "EBAY", {"BER": ""}, config, secrets, status="LIVE")
            channel_id = await connect_channel(connection, sealed, wanted)
            links = [ListingLink(sku, sku, reference=market.reference(sku)) for sku in ("TEA-1", "CUP-1")]
            await link_listings(connection, channel_id, links)
        (channel,) = await list_channels(state)
        await push_quantities(state, channel, Lane.BULK, "warm")
        await add_stock(state, "BER", {"TEA-1": 1, "CUP-1": 1})
        await relay_stock(state)
        await market.faults(latency={"rate": 1, "times": 1, "seconds": 1.5})
        bulk = asyncio.create_task(push_quantities(state, channel, Lane.BULK, "one"))
        async with asyncio.timeout(10):
            await market_is_late(market)
        await add_stock(state, "BER", {"TEA-1": -9})
        while (await relay_stock(state))[0]:
            pass
        assert (await push_quantities(state, channel, Lane.ZERO, "two"))[0] == 1
        assert not bulk.done()
        shown = (await market.state())["quantities"]
        assert shown["TEA-1"] == 0
        await bulk
        assert (await market.state())["quantities"] | {"POT-1": 5} == {"TEA-1": 9, "CUP-1": 5, "POT-1": 5}
        assert (await push_quantities(state, channel, Lane.ZERO, "two"))[0] == 1
        assert (await market.state())["quantities"]["TEA-1"] == 0
        clean = "SELECT bool_and(desired_version = acknowledged_version) FROM listings"
        assert await state.database.hot.fetchval(clean)
