"""Connecting, changing and switching channels; linking, freezing and resyncing what they list."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.channels.claim_listings import Lane
from app.channels.run_channels import run_channels
from app.channels.seal_credentials import open_credentials
from app.settings import Settings
from app.tasks import end_tasks
from domain.errors import CauseClass
from domain.identity import Role
from tests.channel_company import ChannelCompany, open_channel_company

CHANNEL = "channel { code status policy { buffer sharePercent maximum minimum multiple adaptive } warehouses { location status warehouse { code } } }"
LISTING = "listings { externalId published acknowledged state frozen sku { code } channel { code } policy { buffer maximum } }"
LISTING_POLICY = "listings { published exposure policy { multiple safetyStock warehouses } }"
SHOPIFY = {"baseUrl": "https://store.example", "accessToken": "shpat-one", "webhookSecret": "hush-one"}


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        opened.shops["https://store.example"] = opened.shops["market"]  # type: ignore[index]
        yield opened


async def refused(company: ChannelCompany, name: str, /, **fields: Any) -> tuple[str, list[str]]:
    made = await company.admin.mutate(name, "", **fields)
    (error,) = made["userErrors"]
    return error["code"], error["path"]


async def adjust(company: ChannelCompany, sku: str, delta: int, warehouse: str = "BER") -> None:
    lines = [{"sku": sku, "delta": delta}]
    made = await company.admin.mutate("stockAdjust", "", warehouse=warehouse, reason="COUNT", lines=lines)
    assert made["userErrors"] == []


async def test_a_channel_is_connected_in_shadow_and_its_credentials_are_never_shown(company: ChannelCompany) -> None:
    houses = [{"warehouse": "BER", "location": "loc-1"}, {"warehouse": "NYC", "location": "loc-2", "status": "SHADOW"}]
    made = await company.admin.mutate(
        "channelConnect",
        CHANNEL,
        code="new",
        name="New",
        warehouses=houses,
        shopify=SHOPIFY,
        buffer=2,
        maximum=50,
        adaptive=True,
        idempotencyKey="k",
    )
    assert made["userErrors"] == []
    assert made["channel"]["status"] == "SHADOW"
    assert made["channel"]["policy"] == {
        "buffer": 2,
        "sharePercent": 100,
        "maximum": 50,
        "minimum": 0,
        "multiple": 1,
        "adaptive": True,
    }
    assert [(one["location"], one["status"]) for one in made["channel"]["warehouses"]] == [
        ("loc-1", "LIVE"),
        ("loc-2", "SHADOW"),
    ]
    stored = await company.state.database.hot.fetchrow(
        "SELECT *, channels::text AS text FROM channels WHERE code = 'new'"
    )
    assert "shpat-one" not in stored["text"]
    assert b"hush-one" not in stored["credentials"]
    answers = await company.state.database.hot.fetch("SELECT answer::text FROM idempotency_keys")
    assert all("shpat-one" not in row[0] for row in answers)
    secrets = open_credentials(company.state.channels.settings, stored["credentials"])
    assert secrets == {"access_token": "shpat-one", "webhook_secret": "hush-one"}
    change = {"webhookSecret": "hush-two"}
    changed = await company.admin.mutate("channelUpdate", CHANNEL, channel="new", shopify=change, maximum=None)
    assert changed["channel"]["policy"]["maximum"] is None
    sealed = await company.value("SELECT credentials FROM channels WHERE code = 'new'")
    assert open_credentials(company.state.channels.settings, sealed) == {
        "access_token": "shpat-one",
        "webhook_secret": "hush-two",
        "previous_webhook_secret": "hush-one",
    }


async def test_what_cannot_be_connected(company: ChannelCompany) -> None:
    good: dict[str, Any] = {"code": "new", "name": "New", "warehouses": [{"warehouse": "BER"}], "shopify": SHOPIFY}
    for change, code, path in (
        ({"code": " x"}, "INVALID_INPUT", ["code"]),
        ({"name": " "}, "INVALID_INPUT", ["name"]),
        ({"sharePercent": 101}, "INVALID_INPUT", ["sharePercent"]),
        ({"shopify": None}, "INVALID_INPUT", ["shopify"]),
        ({"b2b": {}}, "INVALID_INPUT", ["b2b"]),
        ({"shopify": {**SHOPIFY, "baseUrl": "ftp://x"}}, "INVALID_INPUT", ["shopify", "baseUrl"]),
        ({"shopify": {**SHOPIFY, "accessToken": " "}}, "INVALID_INPUT", ["shopify", "accessToken"]),
        ({"warehouses": []}, "INVALID_INPUT", ["warehouses"]),
        ({"warehouses": [{"warehouse": "XXX"}]}, "WAREHOUSE_NOT_FOUND", ["warehouses", "0", "warehouse"]),
        ({"warehouses": [{"warehouse": "BER"}] * 2}, "DUPLICATE_LINE", ["warehouses", "1", "warehouse"]),
        ({"code": "shop"}, "ALREADY_EXISTS", ["code"]),
    ):
        assert await refused(company, "channelConnect", **{**good, **change}) == (code, path), change
    assert await company.value("SELECT count(*) FROM channels") == 2
    assert await refused(company, "channelUpdate", channel="none", buffer=1) == ("CHANNEL_NOT_FOUND", ["channel"])
    assert await refused(company, "channelUpdate", channel="shop", minimum=None) == ("INVALID_INPUT", ["minimum"])
    assert await refused(company, "channelUpdate", channel="shop", ebay={"locale": "x"}) == ("INVALID_INPUT", ["ebay"])


async def test_a_new_policy_is_published_at_once(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    await company.admin.mutate("channelUpdate", CHANNEL, channel="shop", buffer=3, sharePercent=50)
    await company.settle("shop")
    assert company.shops["shop"].quantities["item-0", ""] == 20 * 50 // 100 - 3
    await company.admin.mutate("channelUpdate", CHANNEL, channel="shop", warehouses=[{"warehouse": "BER"}])
    await company.settle("shop")
    assert company.shops["shop"].quantities["item-0", ""] == 2
    line = {"sku": "400000", "buffer": 0, "maximum": 4}
    made = await company.admin.mutate("listingPolicySet", LISTING, channel="shop", lines=[line])
    assert made["listings"][0]["policy"] == {"buffer": 0, "maximum": 4}
    await company.settle("shop")
    assert company.shops["shop"].quantities["item-0", ""] == 4
    await company.admin.mutate("listingPolicySet", LISTING, channel="shop", lines=[{"sku": "SKU-0", "maximum": None}])
    await company.settle("shop")
    assert company.shops["shop"].quantities["item-0", ""] == 5
    assert company.shops["market"].quantities["item-0", ""] == 10


async def test_a_channel_has_a_safety_stock_and_a_freeze_of_its_own(company: ChannelCompany) -> None:
    await company.execute("UPDATE stock_levels SET safety_stock = 4")
    await company.settle("shop", "market")
    shown = company.shops["shop"].quantities
    policy = "channel { policy { safetyStock frozen } }"
    made = await company.admin.mutate("channelUpdate", policy, channel="shop", safetyStock=1)
    assert made["channel"]["policy"] == {"safetyStock": 1, "frozen": False}
    await company.settle("shop", "market")
    assert shown["item-0", ""] == 2 * (10 - 1)
    assert company.shops["market"].quantities["item-0", ""] == 10 - 4, "that of the warehouse"
    line = {"sku": "SKU-0", "safetyStock": 0}
    await company.admin.mutate("listingPolicySet", LISTING, channel="shop", lines=[line])
    made = await company.admin.mutate("channelUpdate", policy, channel="shop", frozen=True)
    assert made["channel"]["policy"] == {"safetyStock": 1, "frozen": True}
    assert await company.push("shop", Lane.ZERO) == 3, "the zero lane goes first"
    assert set(shown.values()) == {0}
    found = await company.admin.data('{ listings(filter: {channel: "shop"}) { nodes { state } } }')
    states = {node["state"] for node in found["listings"]["nodes"]}
    assert states == {"FROZEN"}
    trail = await company.admin.data("{ channelChanges(first: 1) { nodes { action before after } } }")
    assert trail["channelChanges"]["nodes"] == [
        {"action": "UPDATED", "before": {"frozen": False}, "after": {"frozen": True}}
    ]
    await company.admin.mutate("channelUpdate", policy, channel="shop", frozen=False, safetyStock=None)
    await company.settle("shop")
    assert [shown[f"item-{n}", ""] for n in range(3)] == [20, 12, 12], "the listing has one of its own"
    for wrong, path in (({"safetyStock": -1}, "safetyStock"), ({"frozen": None}, "frozen")):
        assert await refused(company, "channelUpdate", channel="shop", **wrong) == ("INVALID_INPUT", [path])


async def test_a_listing_has_rounding_safety_stock_and_warehouses_of_its_own(company: ChannelCompany) -> None:
    """Exposure, by listing, in all and joint, goes by the warehouses that the listing sells from."""
    await company.settle("shop", "market")
    query = """{ oversellExposure(filter: {channel: "shop"}) { units listings jointUnits }
      listings(filter: {channel: "shop", exposed: true}) { totalCount nodes { exposure } } }"""
    own = {"sku": "SKU-0", "multiple": 4, "safetyStock": 1, "warehouses": ["NYC", "NYC"]}
    made = await company.admin.mutate("listingPolicySet", LISTING_POLICY, channel="shop", lines=[own])
    assert made["listings"] == [
        {"published": 8, "exposure": 10, "policy": {"multiple": 4, "safetyStock": 1, "warehouses": ["NYC"]}}
    ]
    exposed = {"units": 10, "listings": 1, "jointUnits": 10}
    nodes = {"totalCount": 1, "nodes": [{"exposure": 10}]}
    assert await company.admin.data(query) == {"oversellExposure": exposed, "listings": nodes}
    await company.settle("shop")
    assert company.shops["shop"].quantities["item-0", ""] == (10 - 1) // 4 * 4
    assert (await company.admin.data(query))["oversellExposure"] == {"units": 0, "listings": 0, "jointUnits": 0}
    await adjust(company, "SKU-0", -9)
    await company.relay()
    assert await company.push("shop") == 0, "it does not sell from there"
    await adjust(company, "SKU-0", -6, "NYC")
    assert (await company.admin.data(query))["oversellExposure"] == {"units": 4, "listings": 1, "jointUnits": 4}
    back = {"sku": "SKU-0", "multiple": None, "safetyStock": None, "warehouses": None}
    made = await company.admin.mutate("listingPolicySet", LISTING_POLICY, channel="shop", lines=[back])
    assert made["listings"] == [
        {"published": 5, "exposure": 3, "policy": {"multiple": None, "safetyStock": None, "warehouses": None}}
    ]
    trail = await company.admin.data("{ channelChanges(first: 2) { nodes { action subject before after } } }")
    values = {"multiple": 4, "safety_stock": 1, "warehouses": ["NYC"]}
    none = dict.fromkeys(values)
    assert trail["channelChanges"]["nodes"] == [
        {"action": "POLICY_SET", "subject": "SKU-0", "before": values, "after": none},
        {"action": "POLICY_SET", "subject": "SKU-0", "before": none, "after": values},
    ]
    for wrong, path in (
        ({"warehouses": []}, ["warehouses"]),
        ({"warehouses": ["NYC", "none"]}, ["warehouses", "1"]),
        ({"safetyStock": -1}, ["safetyStock"]),
        ({"multiple": 0}, ["multiple"]),
    ):
        line = {"sku": "SKU-0", **wrong}
        assert await refused(company, "listingPolicySet", channel="shop", lines=[line]) == (
            "INVALID_INPUT",
            ["lines", "0", *path],
        )
    elsewhere = [{"sku": "SKU-0", "warehouses": ["BER"]}]
    assert await refused(company, "listingPolicySet", channel="market", lines=elsewhere) == (
        "INVALID_INPUT",
        ["lines", "0", "warehouses", "0"],
    )


async def test_a_key_gives_the_first_answer_also_when_the_channel_has_moved_on(company: ChannelCompany) -> None:
    first = await company.admin.mutate("channelPause", CHANNEL, channel="shop", idempotencyKey="p")
    assert first["channel"]["status"] == "PAUSED"
    assert (await company.admin.mutate("channelResume", CHANNEL, channel="shop"))["channel"]["status"] == "LIVE"
    assert await company.admin.mutate("channelPause", CHANNEL, channel="shop", idempotencyKey="p") == first
    assert await company.value("SELECT status FROM channels WHERE code = 'shop'") == "LIVE"
    assert await refused(company, "channelPause", channel="market", idempotencyKey="p") == (
        "IDEMPOTENCY_KEY_REUSED",
        ["idempotencyKey"],
    )


async def test_paused_is_silent_and_resumed_says_only_the_latest(company: ChannelCompany) -> None:
    await company.settle("shop")
    await company.admin.mutate("channelPause", CHANNEL, channel="shop")
    sent = len(company.shops["shop"].batches)
    for _ in range(5):
        await adjust(company, "SKU-1", -1)
        await company.relay()
    found = await company.admin.data('{ listings(filter: {channel: "shop", states: [BLOCKED]}) { totalCount } }')
    assert found["listings"]["totalCount"] == 1
    assert len(company.shops["shop"].batches) == sent
    await company.admin.mutate("channelResume", CHANNEL, channel="shop")
    await company.settle("shop")
    assert [[write.quantity for write in batch] for batch in company.shops["shop"].batches[sent:]] == [[15]]


async def test_what_a_paused_channel_sells_is_taken_and_nothing_is_sent(company: ChannelCompany) -> None:
    await company.settle("shop")
    await company.admin.mutate("channelPause", CHANNEL, channel="shop")
    shop = company.shops["shop"]
    sent = len(shop.batches)
    await adjust(company, "SKU-1", -1)
    line = ChannelOrderLine("line-1", "SKU-0", "SKU-0", 2)
    shop.orders.append(ChannelOrder("o-1", "#1", datetime.datetime.now(datetime.UTC), (line,), "DE"))
    await company.relay()
    running = asyncio.create_task(run_channels(company.state, "test"))
    try:
        async with asyncio.timeout(20):
            while not await company.value("SELECT count(*) FROM orders"):  # noqa: ASYNC110 - the table tells nobody
                await asyncio.sleep(0.05)
    finally:
        await end_tasks(running)
    assert await company.value("SELECT sum(allocated) FROM order_lines") == 2
    assert len(shop.batches) == sent


async def test_going_live_sends_only_what_differs(company: ChannelCompany) -> None:
    await company.execute("UPDATE channels SET status = 'SHADOW' WHERE code = 'shop'")
    shop = company.shops["shop"]
    shop.quantities = {("item-0", ""): 20, ("item-1", ""): 7}
    await company.observe("shop")
    assert await refused(company, "channelPause", channel="shop") == ("WRONG_STATE", ["channel"])
    assert await refused(company, "channelResume", channel="shop") == ("WRONG_STATE", ["channel"])
    live = await company.admin.mutate("channelGoLive", f"{CHANNEL} right different", channel="shop")
    assert (live["channel"]["status"], live["right"], live["different"]) == ("LIVE", 1, 2)
    shop.quantities["item-2", ""] = 0
    await company.settle("shop")
    assert sorted(write.external_id for batch in shop.batches for write in batch) == ["item-1", "item-2"]
    assert shop.quantities == {("item-0", ""): 20, ("item-1", ""): 20, ("item-2", ""): 20}
    again = await company.admin.mutate("channelGoLive", "channel { status } right different", channel="shop")
    assert (again["right"], again["different"], again["userErrors"]) == (0, 0, [])
    await company.admin.mutate("channelPause", CHANNEL, channel="shop")
    assert await refused(company, "channelGoLive", channel="shop") == ("WRONG_STATE", ["channel"])


async def test_direct_b2b_shows_what_it_should_as_soon_as_it_is_live(company: ChannelCompany) -> None:
    await company.admin.mutate(
        "channelConnect", CHANNEL, code="b2b", name="B2B", warehouses=[{"warehouse": "BER"}], b2b={}
    )
    await company.admin.mutate("listingLink", LISTING, channel="b2b", lines=[{"sku": "SKU-0", "externalId": "A"}])
    live = await company.admin.mutate("channelGoLive", "right different", channel="b2b")
    assert (live["right"], live["different"]) == (1, 0)
    made = await company.admin.mutate("listingResync", f"count {LISTING}", channel="b2b", lines=[{"sku": "SKU-0"}])
    assert made["count"] == 0
    assert made["listings"][0]["acknowledged"] == 10
    assert made["listings"][0]["state"] == "IN_SYNC"


async def test_a_frozen_sku_goes_off_every_channel_before_anything_else(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    await adjust(company, "SKU-1", -1, "NYC")
    made = await company.admin.mutate("skuFreeze", f"sku {{ code frozen }} {LISTING}", sku="SKU-0")
    assert made["sku"] == {"code": "SKU-0", "frozen": True}
    assert [(one["channel"]["code"], one["published"], one["state"]) for one in made["listings"]] == [
        ("shop", 0, "PENDING"),
        ("market", 0, "PENDING"),
    ]
    assert await company.push("shop", Lane.ZERO) == 1
    query = (
        '{ listings(filter: {skus: ["SKU-0"]}) { nodes { channel { code } state acknowledged lastAcknowledgedAt } } }'
    )
    nodes = (await company.admin.data(query))["listings"]["nodes"]
    assert {node["channel"]["code"]: (node["state"], node["acknowledged"]) for node in nodes} == {
        "shop": ("FROZEN", 0),
        "market": ("PENDING", 10),
    }
    await company.settle("shop", "market")
    assert {shop.quantities["item-0", ""] for shop in company.shops.values()} == {0}
    await adjust(company, "SKU-0", 5)
    await company.settle("shop", "market")
    assert company.shops["shop"].quantities["item-0", ""] == 0
    made = await company.admin.mutate("skuUnfreeze", f"sku {{ frozen }} {LISTING}", sku="SKU-0")
    assert [one["published"] for one in made["listings"]] == [25, 10]
    await company.settle("shop", "market")
    assert company.shops["shop"].quantities["item-0", ""] == 25
    assert await refused(company, "skuFreeze", sku="none") == ("SKU_NOT_FOUND", ["sku"])


async def test_one_listing_alone_is_frozen(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    await company.admin.mutate("listingPolicySet", LISTING, channel="shop", lines=[{"sku": "SKU-0", "frozen": True}])
    await company.settle("shop", "market")
    assert [shop.quantities["item-0", ""] for shop in list(company.shops.values())[:2]] == [0, 10]


async def test_linking_and_unlinking(company: ChannelCompany) -> None:
    await company.settle("shop")
    link = {"sku": "SKU-0", "externalId": "item-9"}
    made = await company.admin.mutate("listingLink", LISTING, channel="shop", lines=[link])
    assert [(one["externalId"], one["acknowledged"], one["state"]) for one in made["listings"]] == [
        ("item-9", None, "PENDING")
    ]
    for lines, code, path in (
        ([], "INVALID_INPUT", ["lines"]),
        ([{"sku": "none", "externalId": "a"}], "SKU_NOT_FOUND", ["lines", "0", "sku"]),
        ([{"sku": "SKU-0", "externalId": " "}], "INVALID_INPUT", ["lines", "0", "externalId"]),
        ([{"sku": "SKU-0", "externalId": "a", "location": "moon"}], "INVALID_INPUT", ["lines", "0", "location"]),
        ([link, {"sku": "400000", "externalId": "b"}], "DUPLICATE_LINE", ["lines", "1", "sku"]),
        ([{"sku": "SKU-0", "externalId": "item-1"}], "ALREADY_EXISTS", ["lines", "0", "externalId"]),
        (
            [{"sku": "SKU-0", "externalId": "a"}, {"sku": "SKU-1", "externalId": "a"}],
            "ALREADY_EXISTS",
            ["lines", "1", "externalId"],
        ),
        ([{"sku": "SKU-0", "externalId": f"{n}"} for n in range(1_001)], "TOO_MANY_LINES", ["lines"]),
    ):
        assert await refused(company, "listingLink", channel="shop", lines=lines) == (code, path)
    company.shops["shop"].refused = {"item-1": CauseClass.MAPPING}
    await adjust(company, "SKU-1", -1)
    await company.settle("shop")
    assert await company.value("SELECT count(*) FROM exception_cases WHERE state = 'OPEN'") == 1
    gone = await company.admin.mutate("listingUnlink", "unlinked", channel="shop", lines=[{"sku": "SKU-1"}])
    assert len(gone["unlinked"]) == 1
    assert await company.value("SELECT proof ->> 'unlinked' FROM exception_cases") == "true"
    assert await refused(company, "listingUnlink", channel="shop", lines=[{"sku": "SKU-1"}]) == (
        "LISTING_NOT_FOUND",
        ["lines", "0", "sku"],
    )
    assert await company.value("SELECT count(*) FROM listings") == 5


async def test_a_listing_at_several_locations_must_say_which(company: ChannelCompany) -> None:
    houses = [{"warehouse": "BER", "location": "one"}, {"warehouse": "NYC", "location": "two"}]
    await company.admin.mutate("channelConnect", CHANNEL, code="new", name="New", warehouses=houses, shopify=SHOPIFY)
    lines = [{"sku": "SKU-0", "externalId": "x", "location": place} for place in ("one", "two")]
    made = await company.admin.mutate("listingLink", LISTING, channel="new", lines=lines)
    assert [one["published"] for one in made["listings"]] == [10, 10]
    unclear = [{"sku": "SKU-0"}]
    assert await refused(company, "listingResync", channel="new", lines=unclear) == (
        "INVALID_INPUT",
        ["lines", "0", "location"],
    )
    gone = await company.admin.mutate(
        "listingUnlink", "unlinked", channel="new", lines=[{"sku": "SKU-0", "location": "two"}]
    )
    assert len(gone["unlinked"]) == 1


async def test_a_resync_tells_again_what_was_refused_and_nothing_that_is_right(company: ChannelCompany) -> None:
    shop = company.shops["shop"]
    shop.refused = {"item-1": CauseClass.MAPPING}
    await company.settle("shop")
    shop.refused, shop.quantities["item-1", ""] = {}, 3
    sent = len(shop.batches)
    made = await company.admin.mutate("listingResync", "count", channel="shop")
    assert made["count"] == 3
    await company.settle("shop")
    assert [write.external_id for batch in shop.batches[sent:] for write in batch] == ["item-1"]
    assert shop.quantities["item-1", ""] == 20


async def test_limits_of_tokens(company: ChannelCompany) -> None:
    shop = (await company.channel("shop")).id
    houses = {row[0]: row[1] for row in await company.state.database.hot.fetch("SELECT code, id FROM warehouses")}
    limited = await company.client(Role.ECOMMERCE, channel_ids=[shop])
    in_nyc = await company.client(Role.ECOMMERCE, warehouse_ids=[houses["NYC"]])
    link = [{"sku": "SKU-0", "externalId": "item-0"}]
    for client, name, fields, code in (
        (limited, "channelPause", {"channel": "market"}, "CHANNEL_NOT_FOUND"),
        (limited, "listingLink", {"channel": "market", "lines": link}, "CHANNEL_NOT_FOUND"),
        (limited, "listingResync", {"channel": "market"}, "CHANNEL_NOT_FOUND"),
        (limited, "skuFreeze", {"sku": "SKU-0"}, "NOT_ALLOWED"),
        (in_nyc, "channelPause", {"channel": "shop"}, "CHANNEL_NOT_FOUND"),
        (in_nyc, "channelUpdate", {"channel": "market", "warehouses": [{"warehouse": "BER"}]}, "WAREHOUSE_NOT_FOUND"),
        (in_nyc, "skuUnfreeze", {"sku": "SKU-0"}, "NOT_ALLOWED"),
    ):
        made = await client.mutate(name, "", **fields)
        assert [error["code"] for error in made["userErrors"]] == [code], (name, made)
    connect = {"code": "new", "name": "New", "warehouses": [{"warehouse": "BER"}], "shopify": SHOPIFY}
    assert (await limited.mutate("channelConnect", "", **connect))["userErrors"][0]["code"] == "NOT_ALLOWED"
    assert (await limited.mutate("channelPause", CHANNEL, channel="shop"))["channel"]["status"] == "PAUSED"
    assert (await in_nyc.mutate("channelPause", CHANNEL, channel="market"))["channel"]["status"] == "PAUSED"
