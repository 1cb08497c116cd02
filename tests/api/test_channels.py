"""Channels, listings, attempts and exposure as clients read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from adapters.channels.base import Throttled
from app.channels.claim_listings import Lane, claim_listings
from app.channels.listing_state import STATES
from app.channels.measure_lag import note_lags
from app.channels.set_gauges import set_gauges
from app.channels.settle_batches import settle_batches
from app.settings import Settings
from domain.errors import CauseClass
from domain.identity import Role
from domain.publish import compute_exposure
from tests.channel_company import ChannelCompany, open_channel_company
from tests.company import Client

LISTINGS = """query($filter: ListingFilter, $first: Int! = 50, $after: String) {
  listings(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id externalId published acknowledged observed state exposure driftSince lastAcknowledgedAt frozen
      cause error sku { code } channel { code } }
  }
}"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened


async def listings(client: Client, **variables: Any) -> Any:
    return (await client.data(LISTINGS, **variables))["listings"]


async def states(company: ChannelCompany, code: str = "shop") -> list[str]:
    return [node["state"] for node in (await listings(company.admin, filter={"channel": code}))["nodes"]]


async def test_channels_with_health_quota_lag_and_counts(company: ChannelCompany) -> None:
    query = """{ channels { code status health { state failures lastSuccessAt } lag { p50 p95 p99 acknowledged }
      quota { operation tokens headroom perSecond burst } listingCounts { state count }
      warehouses { location status warehouse { code } } policy { buffer sharePercent adaptive } } }"""
    market, shop = (await company.admin.data(query))["channels"]
    assert (market["code"], shop["code"], shop["status"]) == ("market", "shop", "LIVE")
    assert shop["health"] == {"state": "UNKNOWN", "failures": 0, "lastSuccessAt": None}
    assert shop["quota"] == [{"operation": "write", "tokens": 50.0, "headroom": 10.0, "perSecond": 10.0, "burst": 50.0}]
    assert shop["listingCounts"] == [{"state": "PENDING", "count": 3}]
    assert shop["lag"] is None
    assert [house["warehouse"]["code"] for house in shop["warehouses"]] == ["BER", "NYC"]
    await company.settle("shop")
    async with company.state.database.hot.acquire() as connection:
        await note_lags(connection, (await company.channel("shop")).id, [0.1] * 98 + [2.0, 9.0])
    shop = (await company.admin.data(query))["channels"][1]
    assert shop["health"]["state"] == "HEALTHY"
    assert shop["listingCounts"] == [{"state": "IN_SYNC", "count": 3}]
    assert shop["lag"]["acknowledged"] >= 100
    assert 0.09 <= shop["lag"]["p50"] <= 0.111
    assert 1.99 <= shop["lag"]["p99"] <= 2.21


async def test_lag_is_measured_from_the_stock_change_to_the_acknowledgement(company: ChannelCompany) -> None:
    await company.settle("shop")
    await company.execute("DELETE FROM channel_lags")
    shop = company.shops["shop"]
    for accepts_only in (False, True):
        shop.accepts_only = accepts_only
        lines = [{"sku": "SKU-0", "delta": 1}]
        await company.admin.mutate("stockAdjust", "levels { available }", warehouse="BER", reason="COUNT", lines=lines)
        await company.relay()
        await company.execute("UPDATE listings SET dirty_since = dirty_since - interval '3 seconds'")
        assert await company.push("shop") == 1
        if accepts_only:
            assert await states(company) == ["IN_FLIGHT", "IN_SYNC", "IN_SYNC"]
            assert (await settle_batches(company.state, await company.channel("shop")))[0] == 1
        lag = (await company.admin.data('{ channel(code: "shop") { lag { p50 acknowledged } } }'))["channel"]["lag"]
        assert lag["acknowledged"] == 1 + accepts_only
        assert 3.0 <= lag["p50"] < 8.0
    assert await states(company) == ["IN_SYNC"] * 3


async def test_a_page_at_a_time_each_listing_comes_once(company: ChannelCompany) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = await listings(company.admin, first=2, after=after)
        assert page["totalCount"] == 6
        seen += [f"{node['channel']['code']} {node['sku']['code']}" for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sorted(seen) == sorted({f"{code} SKU-{n}" for code in ("shop", "market") for n in range(3)})
    wrong = await company.admin.send(LISTINGS, after="xyz")
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_every_state_in_its_turn(company: ChannelCompany) -> None:
    assert await states(company) == ["PENDING"] * 3
    channel = await company.channel("shop")
    (claim, *_) = await claim_listings(company.state.database, channel.id, Lane.BULK, 1, "me", 30)
    assert (await states(company)).count("IN_FLIGHT") == 1
    await company.execute("UPDATE listings SET lease_owner = NULL, lease_until = NULL WHERE id = $1", claim.id)
    await company.execute("UPDATE channels SET status = 'PAUSED'")
    assert await states(company) == ["BLOCKED"] * 3
    await company.execute("UPDATE channels SET status = 'LIVE'")
    company.shops["shop"].refused = {"item-1": CauseClass.MAPPING}
    await company.settle("shop")
    assert await states(company) == ["IN_SYNC", "REJECTED", "IN_SYNC"]
    company.shops["shop"].quantities["item-2", ""] = 3
    await company.execute("UPDATE listings SET acknowledged_at = acknowledged_at - interval '1 second'")
    await company.observe("shop")
    assert await states(company) == ["IN_SYNC", "REJECTED", "IN_SYNC"], "it sold, and the order is on its way"
    await company.execute("UPDATE listings SET drift_since = drift_since - interval '11 seconds'")
    assert await states(company) == ["IN_SYNC", "REJECTED", "DRIFTED"]
    company.shops["shop"].quantities["item-2", ""] = 21
    await company.execute("UPDATE listings SET drift_since = NULL")
    await company.observe("shop")
    assert await states(company) == ["IN_SYNC", "REJECTED", "DRIFTED"], "it did not sell that"
    await company.execute("UPDATE skus SET frozen = true WHERE code = 'SKU-0'")
    assert await states(company) == ["FROZEN", "REJECTED", "DRIFTED"]
    filtered = await listings(company.admin, filter={"channel": "shop", "states": ["REJECTED", "FROZEN"]})
    assert [node["externalId"] for node in filtered["nodes"]] == ["item-0", "item-1"]
    assert filtered["totalCount"] == 2
    assert filtered["nodes"][1]["cause"] == "MAPPING"
    counts = await company.admin.data('{ channel(code: "shop") { listingCounts { state count } } }')
    assert {row["state"]: row["count"] for row in counts["channel"]["listingCounts"]} == {
        "DRIFTED": 1,
        "FROZEN": 1,
        "REJECTED": 1,
    }


async def test_an_open_circuit_blocks(company: ChannelCompany) -> None:
    await company.execute(
        "INSERT INTO channel_circuits (channel_id, scope, failures, open_until, failed_at, error, cause)"
        " SELECT id, 'PUSH', 4, now() + interval '1 minute', now(), 'no answer', 'OUTAGE' FROM channels WHERE code = 'shop'"
    )
    assert await states(company) == ["BLOCKED"] * 3
    assert await states(company, "market") == ["PENDING"] * 3
    found = await company.admin.data(
        '{ channel(code: "shop") { health { state failures lastError lastCause nextAttemptAt } } }'
    )
    health = found["channel"]["health"]
    assert health.pop("nextAttemptAt") is not None
    assert health == {"state": "DOWN", "failures": 4, "lastError": "no answer", "lastCause": "OUTAGE"}


async def test_exposure_is_what_a_channel_may_sell_and_we_do_not_have(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    query = """query($filter: OversellExposureFilter) { oversellExposure(filter: $filter) {
      units jointUnits listings channels { channel units listings } worst { channel { code } sku { code } exposure } } }"""
    rest = (await company.admin.data(query))["oversellExposure"]
    assert (rest["units"], rest["jointUnits"]) == (0, 3 * (20 + 10 - 20)), "both show the same units"
    for house in ("BER", "NYC"):
        lines = [{"sku": "SKU-1", "delta": -7}]
        await company.admin.mutate("stockAdjust", "levels { available }", warehouse=house, reason="COUNT", lines=lines)
    found = (await company.admin.data(query))["oversellExposure"]
    assert (found["units"], found["listings"], found["jointUnits"]) == (14 + 7, 2, 2 * 10 + (20 + 10 - 6))
    assert found["channels"] == [
        {"channel": "market", "units": 7, "listings": 1},
        {"channel": "shop", "units": 14, "listings": 1},
    ]
    assert found["worst"] == [
        {"channel": {"code": "shop"}, "sku": {"code": "SKU-1"}, "exposure": compute_exposure(20, 6)},
        {"channel": {"code": "market"}, "sku": {"code": "SKU-1"}, "exposure": compute_exposure(10, 3)},
    ]
    only = (await company.admin.data(query, filter={"channel": "market"}))["oversellExposure"]
    assert (only["units"], only["listings"], only["jointUnits"]) == (7, 1, 7)
    exposed = await listings(company.admin, filter={"exposed": True})
    assert [(node["channel"]["code"], node["exposure"]) for node in exposed["nodes"]] == [("shop", 14), ("market", 7)]
    assert exposed["totalCount"] == 2
    await company.settle("shop", "market")
    assert (await company.admin.data(query))["oversellExposure"]["units"] == 0


@pytest.mark.parametrize(
    ("change", "exposure"),
    [
        ("receipt = 'r', receipt_quantity = 26", 6),
        ("drift_since = now(), observed = 25", 5),
        ("lease_owner = 'w', lease_quantity = 24", 4),
        ("may_show = 22", 2),
        ("acknowledged = NULL, observed = 23", 3),
        ("acknowledged = 21, receipt = 'r', receipt_quantity = 2", 1),
        ("acknowledged = 2", 0),
    ],
)
async def test_the_worst_case_counts_what_a_batch_a_lost_reply_or_drift_may_have_left(
    company: ChannelCompany, change: str, exposure: int
) -> None:
    await company.settle("shop")
    mine = "sku_id = (SELECT id FROM skus WHERE code = 'SKU-0') AND channel_id = (SELECT id FROM channels WHERE code = 'shop')"
    await company.execute(f"UPDATE listings SET {change} WHERE {mine}")
    found = await listings(company.admin, filter={"channel": "shop", "skus": ["SKU-0"]})
    assert [node["exposure"] for node in found["nodes"]] == [exposure]


async def test_attempts_newest_first_and_failures_alone(company: ChannelCompany) -> None:
    company.shops["market"].refused = {"item-0": CauseClass.POLICY}
    await company.settle("shop", "market")
    query = """query($filter: SyncAttemptFilter) { syncAttempts(filter: $filter) { totalCount
      nodes { id channel lane listings done failed cause error seconds } } }"""
    every = (await company.admin.data(query))["syncAttempts"]
    assert {node["channel"] for node in every["nodes"]} == {"shop", "market"}
    failed = (await company.admin.data(query, filter={"failed": True}))["syncAttempts"]
    assert [(n["channel"], n["listings"], n["failed"], n["cause"]) for n in failed["nodes"]] == [
        ("market", 3, 1, "POLICY")
    ]
    assert failed["totalCount"] == 1
    none = (await company.admin.data(query, filter={"channel": "shop", "lanes": ["ZERO"]}))["syncAttempts"]
    assert none["nodes"] == []


async def test_a_limited_token_sees_its_channels_and_nothing_of_the_others(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    shop, market = (await company.channel("shop")).id, (await company.channel("market")).id
    houses = {
        row["code"]: row["id"] for row in await company.state.database.hot.fetch("SELECT id, code FROM warehouses")
    }
    ids = await company.admin.data("{ channels { id code } syncAttempts { nodes { id channel } } }")
    every = await listings(company.admin)
    hidden = [one["id"] for one in ids["channels"] if one["code"] == "market"]
    hidden += [one["id"] for one in ids["syncAttempts"]["nodes"] if one["channel"] == "market"]
    hidden += [one["id"] for one in every["nodes"] if one["channel"]["code"] == "market"]
    assert len(hidden) >= 5
    by_channel = await company.client(Role.ECOMMERCE, channel_ids=[shop])
    for query, found in (
        ("{ channels { code } }", {"channels": [{"code": "shop"}]}),
        ('{ channel(code: "market") { code } }', {"channel": None}),
        ('{ listings(filter: {channel: "market"}) { totalCount } }', {"listings": {"totalCount": 0}}),
        ('{ syncAttempts(filter: {channel: "market"}) { totalCount } }', {"syncAttempts": {"totalCount": 0}}),
        ("{ oversellExposure { channels { channel } } }", {"oversellExposure": {"channels": [{"channel": "shop"}]}}),
    ):
        assert await by_channel.data(query) == found
    for one in hidden:
        assert (await by_channel.data("query($id: ID!) { node(id: $id) { id } }", id=one))["node"] is None
        assert (await company.admin.data("query($id: ID!) { node(id: $id) { id } }", id=one))["node"] == {"id": one}
    in_nyc = await company.client(Role.PARTNER, warehouse_ids=[houses["NYC"]])
    assert await in_nyc.data("{ channels { code } }") == {"channels": [{"code": "market"}]}
    in_both = await company.client(Role.PARTNER, warehouse_ids=list(houses.values()))
    assert len((await in_both.data("{ channels { code } }"))["channels"]) == 2
    neither = await company.client(Role.PARTNER, warehouse_ids=[houses["BER"]], channel_ids=[shop, market])
    assert await neither.data("{ channels { code } }") == {"channels": []}


async def test_a_shadow_channel_says_what_would_change(company: ChannelCompany) -> None:
    query = """{ channel(code: "shop") { shadow { compared equal different raised lowered unknown unseen unitsRaised
      unitsLowered seenFrom listings(first: 2) { externalId observed published } } } }"""
    assert (await company.admin.data(query))["channel"]["shadow"] is None
    await company.execute("UPDATE channels SET status = 'SHADOW' WHERE code = 'shop'")
    company.shops["shop"].quantities = {("item-0", ""): 20, ("item-1", ""): 27}
    unseen = (await company.admin.data(query))["channel"]["shadow"]
    assert (unseen["compared"], unseen["unseen"], unseen["seenFrom"]) == (0, 3, None)
    await company.observe("shop")
    report = (await company.admin.data(query))["channel"]["shadow"]
    assert report.pop("seenFrom") is not None
    assert report == {
        "compared": 3,
        "equal": 1,
        "different": 2,
        "raised": 0,
        "lowered": 1,
        "unknown": 1,
        "unseen": 0,
        "unitsRaised": 0,
        "unitsLowered": 7,
        "listings": [
            {"externalId": "item-2", "observed": None, "published": 20},
            {"externalId": "item-1", "observed": 27, "published": 20},
        ],
    }
    await company.execute("UPDATE listings SET observed_at = observed_at - interval '16 minutes'")
    assert (await company.admin.data(query))["channel"]["shadow"]["unseen"] == 3
    wrong = await company.admin.send('{ channel(code: "shop") { shadow { listings(first: 0) { id } } } }')
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_the_states_in_memory_are_those_of_the_schema() -> None:
    from api.channels.types import ListingState

    assert set(STATES) == set(ListingState.__members__)


async def test_gauges_say_what_queries_say(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    company.shops["shop"].refused = {"item-2": CauseClass.MAPPING}
    for sku, delta in (("SKU-1", -7), ("SKU-2", 1)):
        lines = [{"sku": sku, "delta": delta}]
        await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
    await company.relay()
    await set_gauges(company.state)

    def read(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    assert read("onhand_oversell_exposure_units", channel="shop") == 7
    assert read("onhand_oversell_exposure_units", channel="market") == 0
    assert read("onhand_listings", channel="shop", state="PENDING") == 2
    assert read("onhand_exceptions_open", severity="MEDIUM") == 0
    await company.settle("shop")
    await set_gauges(company.state)
    assert read("onhand_oversell_exposure_units", channel="shop") == 0
    assert read("onhand_listings", channel="shop", state="PENDING") == 0
    assert read("onhand_listings", channel="shop", state="REJECTED") == 1
    assert read("onhand_exceptions_open", severity="MEDIUM") == 1


async def test_calls_put_off_for_want_of_quota_are_counted(company: ChannelCompany) -> None:
    quota = company.state.channels.quota_of("waiting", "account", {"write": (1.0, 5.0)})
    for _ in range(4):
        await quota.take("write")
    with pytest.raises(Throttled):
        await quota.take("write")
    labels = {"channel": "waiting", "operation": "write"}
    assert REGISTRY.get_sample_value("onhand_quota_waits_total", labels) == 1
    assert (REGISTRY.get_sample_value("onhand_quota_wait_seconds_total", labels) or 0) > 0.5
