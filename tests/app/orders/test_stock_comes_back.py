"""What a backorder waits for comes in many ways: each fills it by itself."""

from __future__ import annotations

from typing import Any

from app.routing.fill_backorders import fill_backorders
from tests.app.orders.world import lines_of, say, take
from tests.channel_company import ChannelCompany
from tests.shipped_orders import sell

WAYS = ("return", "transfer", "cancel")


async def do(company: ChannelCompany, name: str, made: str, /, **fields: Any) -> Any:
    done = await company.admin.mutate(name, f"{made} {{ id }}", **fields)
    assert done["userErrors"] == [], (name, done)
    return done[made]["id"]


async def catch_up(company: ChannelCompany) -> None:
    while await fill_backorders(company.state):
        pass


async def expect_return(company: ChannelCompany, lines: Any) -> str:
    """A unit that NYC sold is back there, and nobody has looked at it."""
    order = {"channel": "direct", "externalId": "sold"}
    returned: str = await do(company, "returnAuthorize", "return", warehouse="NYC", order=order, lines=lines)
    await do(company, "returnReceive", "return", id=returned, lines=lines)
    return returned


async def test_each_way_that_stock_comes_fills_what_waits(company: ChannelCompany) -> None:
    """`market` sells from NYC alone, which has ten of each, or eight of SKU-0; one unit of each order waits."""
    await sell(company.state, {"SKU-0": (2, 2)}, external_id="sold", warehouse="NYC")
    one = {name: [{"sku": f"SKU-{number}", "quantity": 1}] for number, name in enumerate(WAYS)}
    await take(company, say({"SKU-0": 9}, "return"), "market")
    await take(company, say({"SKU-1": 11}, "transfer"), "market")
    await take(company, say({"SKU-2": 4}, "first"), "market")
    await take(company, say({"SKU-2": 7}, "cancel"), "market")
    returned = await expect_return(company, one["return"])
    way = {"source": "BER", "destination": "NYC"}
    sent = await do(company, "transferCreate", "transfer", lines=one["transfer"], **way)
    await do(company, "transferShip", "transfer", id=sent)
    await catch_up(company)
    waiting = set(WAYS)
    assert await who_waits(company) == waiting, "a unit in quality control, one on the way, and one of another order"
    restocked = [one["return"][0] | {"disposition": "RESTOCK"}]
    arrived = [{"sku": "SKU-1", "received": 1}]
    for name in WAYS:
        if name == "return":
            await do(company, "returnInspect", "return", id=returned, lines=restocked)
        elif name == "transfer":
            await do(company, "transferReceive", "transfer", id=sent, lines=arrived)
        else:
            await take(company, say({"SKU-2": 4}, "first", cancelled=True), "market")
        assert await who_waits(company) == waiting
        await catch_up(company)
        waiting.remove(name)
        assert await who_waits(company) == waiting


async def who_waits(company: ChannelCompany) -> set[str]:
    """Orders with one unit that is promised from nowhere; no other order has any."""
    found = {}
    for name in WAYS:
        ((quantity, allocated, shipped, cancelled),) = (await lines_of(company, name)).values()
        found[name] = quantity - allocated - shipped - cancelled
    assert set(found.values()) <= {0, 1}
    return {name for name, units in found.items() if units}
