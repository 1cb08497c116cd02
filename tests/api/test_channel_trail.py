"""The trail of channel changes: who, when, what was there before, what is there since; no secret, nothing rewritten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.channels.open_channel import OpenChannel
from app.channels.revoke_access import revoke_access
from app.settings import Settings
from domain.identity import Role
from tests.channel_company import ChannelCompany, open_channel_company

CHANGES = """query($channel: String, $first: Int, $after: String) {
  channelChanges(channel: $channel, first: $first, after: $after) {
    nodes { channel at action subject actor token before after } pageInfo { hasNextPage endCursor } totalCount } }"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        opened.shops["https://store.example"] = opened.shops["market"]  # type: ignore[index]
        yield opened


async def read(company: ChannelCompany, channel: str) -> list[Any]:
    """Oldest first: (action, subject, before, after)."""
    found = (await company.admin.data(CHANGES, channel=channel))["channelChanges"]["nodes"]
    return [(one["action"], one["subject"], one["before"], one["after"]) for one in reversed(found)]


async def do(company: ChannelCompany, name: str, /, **fields: Any) -> None:
    assert (await company.admin.mutate(name, "", **fields))["userErrors"] == []


async def test_what_people_do_to_a_channel_is_on_record(company: ChannelCompany) -> None:
    shopify = {"baseUrl": "https://store.example", "accessToken": "shpat-hush", "webhookSecret": "hook-hush"}
    await do(company, "channelConnect", code="new", name="New", warehouses=[{"warehouse": "BER"}], shopify=shopify)
    await do(company, "channelUpdate", channel="new", buffer=2)
    await do(company, "channelUpdate", channel="new", buffer=2)
    await do(company, "channelUpdate", channel="new", shopify={"accessToken": "shpat-other"})
    await do(company, "channelUpdate", channel="new", warehouses=[{"warehouse": "NYC", "status": "SHADOW"}])
    for name in ("channelGoLive", "channelPause", "channelResume"):
        await do(company, name, channel="new")
    trail = await read(company, "new")
    connected = {
        "name": "New",
        "status": "SHADOW",
        "config": {"base_url": "https://store.example"},
        "buffer": 0,
        "share_percent": 100,
        "minimum": 0,
        "multiple": 1,
        "adaptive": False,
        "frozen": False,
        "safety_stock": None,
        "maximum": None,
    }
    assert trail == [
        ("CONNECTED", None, {}, connected),
        ("SOURCE_ADDED", "BER", {}, {"location": "", "status": "LIVE"}),
        ("UPDATED", None, {"buffer": 0}, {"buffer": 2}),
        ("RECONNECTED", None, {}, {}),
        ("SOURCE_ADDED", "NYC", {}, {"location": "", "status": "SHADOW"}),
        ("SOURCE_REMOVED", "BER", {"location": "", "status": "LIVE"}, {}),
        ("WENT_LIVE", None, {"status": "SHADOW"}, {"status": "LIVE"}),
        ("PAUSED", None, {"status": "LIVE"}, {"status": "PAUSED"}),
        ("RESUMED", None, {"status": "PAUSED"}, {"status": "LIVE"}),
    ]
    kept = await company.value("SELECT string_agg(x::text, ' ') FROM channel_changes x")
    assert "hush" not in kept
    assert "shpat" not in kept
    token = await company.value("SELECT id::text FROM tokens")
    found = (await company.admin.data(CHANGES, channel="new"))["channelChanges"]["nodes"]
    assert {(one["actor"], one["token"]) for one in found} == {("test", token)}
    assert all(one["at"].endswith("Z") for one in found)


async def test_policies_and_freezes_are_on_record_by_sku(company: ChannelCompany) -> None:
    before = len(await read(company, "shop"))
    lines = [{"sku": "SKU-1", "buffer": 3}, {"sku": "SKU-2", "maximum": None}]
    await do(company, "listingPolicySet", channel="shop", lines=lines)
    await do(company, "skuFreeze", sku="SKU-0")
    await do(company, "skuFreeze", sku="SKU-0")
    await do(company, "skuUnfreeze", sku="SKU-0")
    await company.settle("shop", "market")
    frozen = ("SKU_FROZEN", "SKU-0", {"frozen": False}, {"frozen": True})
    thawed = ("SKU_UNFROZEN", "SKU-0", {"frozen": True}, {"frozen": False})
    policy = ("POLICY_SET", "SKU-1", {"buffer": None}, {"buffer": 3})
    assert (await read(company, "shop"))[before:] == [policy, frozen, thawed]
    assert (await read(company, "market"))[-2:] == [frozen, thawed]


async def test_what_the_system_does_is_the_systems(company: ChannelCompany) -> None:
    await do(company, "channelUpdate", channel="shop", buffer=1)
    channel: OpenChannel = await company.channel("shop")
    at = await company.value("SELECT now()")
    await revoke_access(company.state, channel, "The app was uninstalled.", at)
    node = (await company.admin.data(CHANGES, channel="shop", first=1))["channelChanges"]["nodes"][0]
    assert (node["action"], node["actor"], node["token"]) == ("PAUSED", "system", None)


async def test_who_may_read_it_and_in_pages(company: ChannelCompany) -> None:
    shop = (await company.channel("shop")).id
    limited = await company.client(Role.ENGINEER, channel_ids=[shop])
    seen = (await limited.data(CHANGES, first=250))["channelChanges"]
    assert {one["channel"] for one in seen["nodes"]} == {"shop"}
    assert seen["totalCount"] == len(seen["nodes"])
    page = (await limited.data(CHANGES, first=1))["channelChanges"]
    following = await limited.data(CHANGES, first=250, after=page["pageInfo"]["endCursor"])
    assert page["nodes"] + following["channelChanges"]["nodes"] == seen["nodes"]
    assert (await limited.data(CHANGES, channel="market"))["channelChanges"]["nodes"] == []
    for role in (Role.WAREHOUSE, Role.PARTNER, Role.VIEWER, Role.FINANCE):
        answer = await (await company.client(role)).send(CHANGES)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("statement", ["UPDATE channel_changes SET actor = 'x'", "DELETE FROM channel_changes"])
async def test_nobody_rewrites_it(company: ChannelCompany, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await company.execute(statement)
