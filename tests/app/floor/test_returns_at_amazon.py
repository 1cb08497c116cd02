"""A return that begins at Amazon, over its sandbox's API and ours, until the unit is for sale there again."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet

from adapters.sandbox.amazon import ProductConfig
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.poll_returns import poll_returns
from app.channels.process_events import process_events
from app.channels.pull_orders import pull_orders
from app.fulfillment.confirm_shipments import confirm_shipments
from app.fulfillment.release_work import release_work
from app.returns.tell_refunds import tell_refunds
from app.settings import Settings
from app.state import State
from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN, SELLER, Served, serve
from tests.app.orders.world import assert_whole, available
from tests.channel_company import ChannelCompany
from tests.company import Client, make_company, make_secret, running_app

UNITS = 10
RETURNS = "{ returns { nodes { id origin custody condition money refundState lines { authorized } } } }"
LINE = {"sku": "SKU-0", "quantity": 2}


async def connect(state: State, market: Served) -> None:
    place = {"base_url": market.url, "lwa_url": market.url, "marketplace_id": "ATVPDKIKX0DER"}
    config: dict[str, Any] = {**place, "seller_id": SELLER, "client_id": "client"}
    secrets = {"client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
    given = {**config, "external_returns": True, "search_lag_seconds": 0}
    wanted = ChannelConnect("shop", "Amazon", "AMAZON", {"BER": ""}, given, secrets, status="LIVE")
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, [ListingLink("SKU-0", "SKU-0")])


async def do(company: ChannelCompany, name: str, selection: str = "return { id }", **fields: Any) -> Any:
    made = await company.admin.mutate(name, selection, **fields)
    assert made["userErrors"] == [], made
    return made


async def ship(company: ChannelCompany) -> None:
    assert await release_work(company.state) == 1
    (work,) = (await company.admin.data("{ fulfillmentOrders { nodes { id } } }"))["fulfillmentOrders"]["nodes"]
    await do(company, "fulfillmentOrderAccept", "fulfillmentOrder { id }", id=work["id"])
    given = {"id": work["id"], "carrier": "UPS", "trackingNumber": "1Z"}
    await do(company, "fulfillmentOrderShip", "fulfillmentOrder { id }", **given)
    assert await confirm_shipments(company.state) == 1


async def coming(company: ChannelCompany) -> Any:
    """The only return there is, once Amazon's list has been read again."""
    await company.execute("UPDATE channel_health SET returns_polled_at = NULL")
    await poll_returns(company.state, await company.channel("shop"))
    while await process_events(company.state):
        pass
    (made,) = (await company.admin.data(RETURNS))["returns"]["nodes"]
    return made


async def test_a_return_that_amazon_lists_is_for_sale_there_again_and_paid_by_hand(settings: Settings) -> None:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    async with serve(products=(ProductConfig("SKU-0", "Thing"),)) as market, running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        company = ChannelCompany(app, http, state, Client(http, await make_secret(state)), {})
        await make_company(company.admin, ("BER",), 1, UNITS)
        await connect(state, market)
        await company.settle("shop")
        await market.wait_for("SKU-0", UNITS)
        placed = (await market.buy("SKU-0", 2)).json()["id"]
        await pull_orders(state, await company.channel("shop"))
        await company.settle("shop")
        await ship(company)
        opened = await market.client.post(
            "/return", json={"order_id": placed, "lines": [{"sku": "SKU-0", "quantity": 2}]}
        )
        made = await coming(company)
        assert (made["origin"], made["custody"], made["lines"]) == ("CHANNEL", "EXPECTED", [{"authorized": 2}])
        await do(company, "returnReceive", id=made["id"], lines=[LINE])
        assert await available(company) == 8
        await do(company, "returnInspect", id=made["id"], lines=[{**LINE, "disposition": "RESTOCK"}])
        await company.settle("shop")
        await market.wait_for("SKU-0", UNITS)
        known = opened.json()["returns"][0]["id"]
        await market.client.post("/return-status", json={"return": known, "status": "PROCESSED"})
        made = await coming(company)
        assert (made["custody"], made["condition"], await available(company)) == ("RECEIVED", "INSPECTED", UNITS)
        await do(company, "returnRefund", id=made["id"], step="DUE", refund={"amount": "9", "currency": "USD"})
        assert await tell_refunds(state) == 1
        made = await coming(company)
        assert (made["money"], made["refundState"]) == ("DUE", "REFUSED"), "Amazon has no call for it"
        open_cases = "SELECT string_agg(kind, ' ') FROM exception_cases WHERE state <> 'RESOLVED'"
        assert await company.value(open_cases) == "REFUND_REFUSED"
        await do(company, "returnRefund", id=made["id"], step="CONFIRMED")
        assert ((await coming(company))["money"], await company.value(open_cases)) == ("CONFIRMED", None)
        await assert_whole(company)
