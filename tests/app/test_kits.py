"""Kits: made of others when they are sold; published, ordered, shipped and told as such."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from adapters.channels.memory import MemoryChannel
from app.channels.set_gauges import set_gauges
from app.fulfillment.confirm_shipments import confirm_shipments
from app.kits.tell_kits import read_kit_lines
from app.orders.take_order import take_order
from app.routing.fill_backorders import fill_backorders
from app.routing.read_decisions import read_decisions, replay
from app.settings import Settings
from domain.kits import Component, count_kits
from tests.floor import Floor, open_floor
from tests.seed import TESTER

KIT = "kit { sku components { sku quantity } availability { warehouse available } }"
PARTS = [{"sku": "SKU-0", "quantity": 2}, {"sku": "SKU-1"}]
_DESIRED = """
SELECT l.desired FROM listings l JOIN channels c ON c.id = l.channel_id JOIN skus s ON s.id = l.sku_id
WHERE c.code = 'shop' AND s.code = 'SET'
"""


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    """`SET` is two of SKU-0 and one of SKU-1; the shop lists it."""
    async with open_floor(settings, monkeypatch) as opened:
        await opened.admin.mutate("skuUpsert", "", lines=[{"code": "SET", "title": "A set", "barcode": "777"}])
        made = await opened.admin.mutate("kitSet", KIT, sku="SET", components=PARTS)
        assert made["userErrors"] == []
        await opened.admin.mutate("listingLink", "", channel="shop", lines=[{"sku": "SET", "externalId": "item-set"}])
        yield opened


def test_the_scarcest_component_says_how_many() -> None:
    parts = [Component("A", 2), Component("B", 1)]
    assert count_kits({"A": 7, "B": 9}, parts) == 3
    assert count_kits({"A": 7}, parts) == 0


async def order_sets(floor: Floor, units: int, name: str = "1", *, cancelled: bool = False) -> None:
    line = ChannelOrderLine(f"{name}-0", "SET", "A set", units)
    order = ChannelOrder(name, f"#{name}", datetime.datetime.now(datetime.UTC), (line,), "DE", cancelled=cancelled)
    await take_order(floor.state, (await floor.company.channel("shop")).id, order)


async def test_a_cancelled_kit_has_the_listing_that_sold_it_looked_at(floor: Floor) -> None:
    """Not those of its components, which the channel did not sell by themselves."""
    await order_sets(floor, 2)
    await floor.company.settle("shop")
    await order_sets(floor, 2, cancelled=True)
    rows = await floor.state.database.hot.fetch(
        "SELECT external_id, may_show - acknowledged FROM listings WHERE put_back"
    )
    assert [tuple(row) for row in rows] == [("item-set", 2)]


async def test_its_availability_and_what_is_published_follow_the_components(floor: Floor) -> None:
    query = '{ kit(sku: "777") { availability { warehouse available } } }'
    found = await floor.admin.data(query)
    before = {one["warehouse"]: one["available"] for one in found["kit"]["availability"]}
    levels = {house: (await floor.level("SKU-0", house))["available"] for house in before}
    assert before == {house: units // 2 for house, units in levels.items()}
    await floor.company.relay()
    assert await floor.company.value(_DESIRED) == sum(before.values())
    lines = [{"sku": "SKU-1", "quantity": 1}]
    await floor.admin.mutate("stockSet", "", warehouse="BER", lines=lines)
    await floor.company.relay()
    assert await floor.company.value(_DESIRED) == before["NYC"] + 1
    own = {"sku": "SET", "safetyStock": 2}
    await floor.admin.mutate("listingPolicySet", "", channel="shop", lines=[own])
    assert await floor.company.value(_DESIRED) == before["NYC"] - 2, "sets stay, not components"


async def test_exposure_counts_a_kit_by_the_components_there_are(floor: Floor) -> None:
    """Of SKU-0 each warehouse has ten, which make five sets, and the shop shows ten sets: as many units as it has."""
    await floor.company.settle("shop", "market")
    shown = 3 * (20 + 10) + 10 * (2 + 1)
    rest: dict[str, Any] = {"units": 0, "listings": 0, "jointUnits": shown - 3 * 20, "worst": []}
    assert await exposure(floor) == rest
    assert await exposed(floor) == (0, [])
    for beside, units in ((None, 0), ("SKU-0", 2 * 10), ("SKU-1", 10), ("SKU-2", 0)):
        found = await exposure(floor, channel="shop", skus=["SET", beside or "SET"])
        assert found["jointUnits"] == units, "a kit and its component share the same units"
    await floor.admin.mutate("stockSet", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 9}])
    worst = [{"sku": {"code": sku}, "exposure": 1} for sku in ("SKU-0", "SET")]
    assert await exposure(floor) == {"units": 2, "listings": 2, "jointUnits": rest["jointUnits"] + 1, "worst": worst}
    assert await exposed(floor) == (2, ["SKU-0", "SET"])
    await set_gauges(floor.state)
    assert REGISTRY.get_sample_value("onhand_oversell_exposure_units", {"channel": "shop"}) == 2


async def exposure(floor: Floor, **chosen: object) -> dict[str, Any]:
    query = """query($filter: OversellExposureFilter) {
      oversellExposure(filter: $filter) { units listings jointUnits worst { sku { code } exposure } } }"""
    found: dict[str, Any] = (await floor.admin.data(query, filter=chosen))["oversellExposure"]
    return found


async def exposed(floor: Floor) -> tuple[int, list[str]]:
    query = "{ listings(filter: { exposed: true }) { totalCount nodes { sku { code } } } }"
    found = (await floor.admin.data(query))["listings"]
    return found["totalCount"], [node["sku"]["code"] for node in found["nodes"]]


async def test_an_order_takes_the_components_in_one_step(floor: Floor) -> None:
    before = [
        await floor.company.value(f"SELECT sum(available)::int FROM stock_levels WHERE sku_id = {n}") for n in (1, 2)
    ]
    await order_sets(floor, 2)
    after = [
        await floor.company.value(f"SELECT sum(available)::int FROM stock_levels WHERE sku_id = {n}") for n in (1, 2)
    ]
    assert [b - a for b, a in zip(before, after, strict=True)] == [4, 2]
    rows = await floor.state.database.hot.fetch("SELECT external_id, sku_code, quantity, allocated FROM order_lines")
    assert sorted(tuple(row) for row in rows) == [("1-0#SET#SKU-0", "SKU-0", 4, 4), ("1-0#SET#SKU-1", "SKU-1", 2, 2)]


async def test_the_same_word_again_changes_nothing_and_less_gives_back(floor: Floor) -> None:
    await order_sets(floor, 2)
    version = await floor.company.value("SELECT version FROM orders")
    await order_sets(floor, 2)
    assert await floor.company.value("SELECT version FROM orders") == version
    await order_sets(floor, 1)
    rows = await floor.state.database.hot.fetch("SELECT quantity - cancelled FROM order_lines ORDER BY external_id")
    assert [row[0] for row in rows] == [2, 1]


async def test_a_parcel_tells_the_kit_that_was_sold(floor: Floor) -> None:
    await order_sets(floor, 2)
    order_id = await floor.company.value("SELECT id FROM orders")
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.ship(work, "T-1", lines=[{"sku": "SKU-0", "quantity": 2}, {"sku": "SKU-1", "quantity": 1}])
    await floor.ship(work, "T-2")
    parcels = await floor.state.database.hot.fetch("SELECT id FROM fulfillments ORDER BY id")
    told = await read_kit_lines(floor.state.database.hot, [row[0] for row in parcels])
    assert sorted((row["fulfillment_id"], row["external_id"], row["quantity"]) for row in told) == [
        (parcel[0], "1-0", 1) for parcel in parcels
    ]
    assert await confirm_shipments(floor.state) == 2
    states = await floor.state.database.hot.fetch("SELECT DISTINCT confirmation FROM fulfillments")
    assert [row[0] for row in states] == ["CONFIRMED"]
    shop = floor.company.shops["shop"]
    assert isinstance(shop, MemoryChannel)


async def test_sets_that_came_back_take_none_that_are_still_to_be_shipped(floor: Floor) -> None:
    """Three sold, two shipped and both refunded: the channel names one, in two entries of its line, to be shipped."""
    await order_sets(floor, 3)
    work = await floor.release_of(await floor.company.value("SELECT id FROM orders"))
    await floor.do("Accept", work)
    await floor.ship(work, "T-1", lines=[{"sku": "SKU-0", "quantity": 4}, {"sku": "SKU-1", "quantity": 2}])
    lines = tuple(ChannelOrderLine("1-0", "SET", "A set", units, unshipped=units) for units in (1, 0))
    word = ChannelOrder("1", "#1", datetime.datetime.now(datetime.UTC), lines, "DE")
    shop = (await floor.company.channel("shop")).id
    asked = "SELECT sum(cancel_requested)::int FROM fulfillment_order_lines"
    await take_order(floor.state, shop, word)
    assert (await promised(floor), await floor.company.value(asked)) == ([2, 1], 0)
    silent = replace(word, lines=tuple(replace(line, unshipped=None) for line in lines))
    await take_order(floor.state, shop, silent)
    assert await floor.company.value(asked) == 3, "who does not say what is to be shipped means all that it names"


async def test_what_lacks_a_component_is_promised_in_no_part(floor: Floor) -> None:
    """Four of SKU-0 and one of SKU-1 are one set: of three ordered, one is promised and two wait, whole."""
    for house in ("BER", "NYC"):
        units = {"SKU-0": 4, "SKU-1": 1} if house == "BER" else {"SKU-0": 9, "SKU-1": 0}
        lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
        await floor.admin.mutate("stockSet", "", warehouse=house, lines=lines)
    await order_sets(floor, 3)
    assert await promised(floor) == [2, 1]
    (decision,) = await read_decisions(
        floor.state.database, TESTER, await floor.company.value("SELECT id FROM orders"), 9
    )
    assert decision["outcome"]["waiting"] == {"0": 4, "1": 2}
    assert replay(decision) is True
    await floor.admin.mutate("stockReceive", "", warehouse="BER", lines=[{"sku": "SKU-1", "quantity": 1}])
    await fill_backorders(floor.state)
    assert await promised(floor) == [4, 2]


async def promised(floor: Floor) -> list[int]:
    rows = await floor.state.database.hot.fetch("SELECT allocated FROM order_lines ORDER BY external_id")
    return [row[0] for row in rows]


async def test_no_part_of_a_kit_leaves_alone(floor: Floor) -> None:
    await order_sets(floor, 2)
    work = await floor.release_of(await floor.company.value("SELECT id FROM orders"))
    await floor.do("Accept", work)
    for part in ({"sku": "SKU-0", "quantity": 2}, {"sku": "SKU-1", "quantity": 1}):
        for name, more in (("Ship", {"carrier": "DHL", "trackingNumber": "T"}), ("Split", {})):
            made = await floor.admin.mutate(f"fulfillmentOrder{name}", "", id=work, lines=[part], **more)
            assert [error["code"] for error in made["userErrors"]] == ["INVALID_QUANTITY"]


async def test_a_short_pick_puts_the_rest_of_its_kit_back(floor: Floor) -> None:
    await order_sets(floor, 2)
    order_id = await floor.company.value("SELECT id FROM orders")
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.do("StartPicking", work)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 4}])
    await floor.do("Pick", work, lines=[{"sku": "SKU-1", "quantity": 1, "short": 1}])
    rows = await floor.state.database.hot.fetch(
        "SELECT quantity - cancelled - short, picked FROM fulfillment_order_lines ORDER BY line"
    )
    assert [tuple(row) for row in rows] == [(2, 2), (1, 1)]
    assert await floor.company.value("SELECT status FROM fulfillment_orders") == "PICKED"
    assert await promised(floor) == [2, 1]


@pytest.mark.parametrize(
    ("sku", "parts", "code"),
    [
        ("SET", PARTS, "WRONG_STATE"),
        ("SKU-2", PARTS, "WRONG_STATE"),
        ("NEW", [{"sku": "SET"}], "INVALID_INPUT"),
        ("NEW", [], "INVALID_INPUT"),
        ("NEW", [{"sku": "NONE"}], "SKU_NOT_FOUND"),
        ("NEW", [{"sku": "SKU-0"}, {"sku": "SKU-0"}], "DUPLICATE_LINE"),
        ("SKU-0", [{"sku": "SKU-1"}], "INVALID_INPUT"),
    ],
)
async def test_what_is_no_kit(floor: Floor, sku: str, parts: list[dict[str, object]], code: str) -> None:
    await floor.admin.mutate("skuUpsert", "", lines=[{"code": "NEW"}])
    made = await floor.admin.mutate("kitSet", KIT, sku=sku, components=parts)
    assert [error["code"] for error in made["userErrors"]] == [code]
