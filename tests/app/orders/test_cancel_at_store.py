"""Cancellations made here and an order's store: it hears of each once, and no unit is counted twice."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.config import ALL_SCOPES
from adapters.sandbox.shopify.state import Order
from api.ids import encode_id
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.process_events import process_events
from app.orders import tell_cancellations as telling
from app.orders.tell_cancellations import tell_cancellations
from app.settings import Settings
from app.state import State
from tests.adapters.shopify.conftest import BERLIN, SECRET, TOKEN, Setup, listener, open_setup
from tests.app.orders.world import assert_whole, available, cases, events_of
from tests.channel_company import ChannelCompany
from tests.company import Client, make_company, make_secret, running_app

__all__ = ["listener"]

UNITS = 10
SHOWN = "query($id: ID!) { order(id: $id) { status cancellation { state error } lines { sku quantity cancelled } } }"


@dataclass
class Shop:
    """A store with ten units of SKU-0, connected; what it says is handed in when a test says so."""

    company: ChannelCompany
    store: Setup
    listener: Any
    heard: int = 0
    calls: list[str] = field(default_factory=list)

    async def buy(self, units: int) -> str:
        """Sold by the store, and heard of here: the order's id at the store."""
        placed = await self.store.buy(("SKU-0", units))
        await self.hear("orders/create")
        return placed

    async def hear(self, topic: str, count: int = 1) -> None:
        """Everything that the store has sent, once there are so many of `topic`."""
        await self.listener.wait(topic, count)
        sent, self.heard = self.listener.received[self.heard :], len(self.listener.received)
        await self.deliver(sent)

    async def deliver(self, sent: list[tuple[dict[str, str], bytes]]) -> None:
        for headers, body in sent:
            passed = {name: value for name, value in headers.items() if name.startswith("x-shopify")}
            answer = await self.company.http.post("/webhooks/shopify/shop", content=body, headers=passed)
            assert answer.status_code == 200
        while await process_events(self.company.state):
            pass

    async def cancel(self, placed: str, units: int | None = None) -> None:
        key = await self.key(placed)
        lines = [] if units is None else [{"line": await self.line(placed), "quantity": units}]
        fields = {"id": key, **({"lines": lines} if lines else {})}
        assert (await self.company.admin.mutate("orderCancel", "order { id }", **fields))["userErrors"] == []

    async def show(self, placed: str) -> tuple[str, str | None, int, int]:
        """The order's status, its notice's state, units ordered and cancelled."""
        order = (await self.company.admin.data(SHOWN, id=await self.key(placed)))["order"]
        notice, (line,) = order["cancellation"], order["lines"]
        return order["status"], notice and notice["state"], line["quantity"], line["cancelled"]

    async def key(self, placed: str) -> str:
        return encode_id("Order", str(await self.company.value("SELECT id FROM orders WHERE external_id = $1", placed)))

    async def line(self, placed: str) -> str:
        order = await self.store.channel.read_order(placed)
        assert order is not None
        return order.lines[0].external_id

    async def level(self) -> tuple[int, int, int]:
        """What is available here, what the store shows, and what it has committed."""
        await self.company.settle("shop")
        found = self.store.store.levels[1, self.store.store.item_by_sku["SKU-0"]]
        return await available(self.company), found.available, found.committed

    async def tell(self) -> None:
        await self.company.execute("UPDATE cancel_notices SET next_attempt_at = now() WHERE next_attempt_at > now()")
        await tell_cancellations(self.company.state)

    @property
    def order(self) -> Order:
        (order,) = self.store.store.orders.values()
        return order


@pytest.fixture
async def shop(settings: Settings, listener: Any) -> AsyncIterator[Shop]:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    products = (ProductConfig("SKU-0", "Thing", quantity=0),)
    options = {"webhook_url": listener.url, "products": products, "cancel_seconds": 0.0}
    async with open_setup(**options) as store, running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        company = ChannelCompany(app, http, state, Client(http, await make_secret(state)), {})
        await make_company(company.admin, ("BER",), 1, UNITS)
        await connect(state, store)
        opened = Shop(company, store, listener)
        note_calls(state.channels.http, opened.calls)
        await company.settle("shop")
        yield opened


async def connect(state: State, store: Setup) -> None:
    config, secrets = {"base_url": store.url}, {"access_token": TOKEN, "webhook_secret": SECRET}
    wanted = ChannelConnect("shop", "Shop", "SHOPIFY", {"BER": BERLIN}, config, secrets, status="LIVE")
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, [ListingLink("SKU-0", store.item("SKU-0"), BERLIN)])


def note_calls(http: httpx.AsyncClient, calls: list[str]) -> None:
    async def note(request: httpx.Request) -> None:
        calls.extend(name for name in ("orderCancel(", "orderEditCommit(") if name.encode() in request.content)

    http.event_hooks = {"request": [note], "response": []}


async def test_an_order_is_cancelled_in_part_and_then_whole(shop: Shop) -> None:
    placed = await shop.buy(3)
    assert await shop.level() == (7, 7, 3)
    await shop.cancel(placed, 1)
    assert await shop.level() == (8, 8, 3), "the store is told the number before it is told of the order"
    await shop.tell()
    await shop.hear("orders/edited")
    assert (await shop.level(), shop.order.lines[0].current) == ((8, 8, 2), 2)
    assert await shop.show(placed) == ("ALLOCATED", "ACKNOWLEDGED", 3, 1)
    await shop.cancel(placed)
    await shop.tell()
    await shop.hear("orders/cancelled")
    assert (await shop.level(), shop.order.cancelled_at is not None) == ((10, 10, 0), True)
    assert await shop.show(placed) == ("CANCELLED", "ACKNOWLEDGED", 3, 3)
    before, again = await events_of(shop.company, placed), list(shop.listener.received)
    for headers, body in reversed(again):
        await shop.deliver([({**headers, "x-shopify-webhook-id": f"again-{headers['x-shopify-webhook-id']}"}, body)])
    assert (await shop.level(), await events_of(shop.company, placed)) == ((10, 10, 0), before)
    assert (await shop.show(placed))[:2] == ("CANCELLED", "ACKNOWLEDGED")
    assert shop.calls == ["orderEditCommit(", "orderCancel("]
    assert await shop.company.value("SELECT count(*) FROM exception_cases") == 0
    assert await shop.company.value("SELECT count(*) FROM returns") == 0, "its refunds are no returns"
    await assert_whole(shop.company)


async def test_a_buyer_cancels_what_is_being_cancelled_here(shop: Shop) -> None:
    """The store puts the units on sale at that moment, as it is told the same number from here."""
    placed = await shop.buy(3)
    await shop.cancel(placed)
    await shop.store.tell("cancel", placed)
    assert shop.store.shown("SKU-0") == 10
    await shop.tell()
    assert (await shop.level(), shop.calls) == ((10, 10, 0), [])
    await shop.hear("orders/cancelled")
    assert await shop.show(placed) == ("CANCELLED", "ACKNOWLEDGED", 3, 3)
    assert await shop.level() == (10, 10, 0)
    await assert_whole(shop.company)


@pytest.mark.parametrize("units", [1, 3])
async def test_a_worker_that_is_killed_before_it_records_what_it_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    async def die(*given: Any) -> None:
        raise KilledError

    placed = await shop.buy(3)
    assert await shop.level() == (7, 7, 3)
    await shop.cancel(placed, units)
    with monkeypatch.context() as killed:
        killed.setattr(telling, "_settle", die)
        with pytest.raises(KilledError):
            await shop.tell()
    assert (await shop.show(placed))[1] == "PENDING"
    assert await tell_cancellations(shop.company.state) == 0, "its lease holds"
    await shop.listener.wait("orders/cancelled" if units == 3 else "orders/edited", 1)
    await shop.tell()
    assert ((await shop.show(placed))[1], len(shop.calls)) == ("ACKNOWLEDGED", 1), "the order read back is the proof"
    assert await shop.level() == (7 + units, 7 + units, 3 - units)


async def test_a_missing_scope_is_a_case_that_waits_for_a_person(shop: Shop) -> None:
    placed = await shop.buy(3)
    state = shop.store.store
    state.config = dataclasses.replace(state.config, scopes=ALL_SCOPES - {"write_orders"})
    await shop.cancel(placed)
    await shop.tell()
    assert ((await shop.show(placed))[1], await cases(shop.company)) == ("REFUSED", ["CANCELLATION_REFUSED"])
    case = (await shop.company.admin.data("{ exceptionCases { nodes { id cause detail } } }"))["exceptionCases"]
    (found,) = case["nodes"]
    assert (found["cause"], "write_orders" in found["detail"]) == ("AUTH", True)
    await shop.tell()
    assert shop.calls == ["orderCancel("], "it is not tried for ever"
    assert await shop.company.value("SELECT failures FROM channel_health") in (0, None), "the connection works"
    state.config = dataclasses.replace(state.config, scopes=ALL_SCOPES)
    assert (await shop.company.admin.mutate("exceptionRetry", "exception { id }", id=found["id"]))["userErrors"] == []
    await shop.tell()
    await shop.hear("orders/cancelled")
    assert ((await shop.show(placed))[1], await cases(shop.company)) == ("ACKNOWLEDGED", [])


class KilledError(BaseException):
    """As far as the process is concerned, everything ends here."""
