"""Channels are told of parcels, in the end, once, and what they refuse is a case with a way out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.channels.base import Shipment, Throttled, WriteOutcome, WriteResult
from adapters.channels.memory import MemoryChannel
from api.ids import encode_id
from app.fulfillment.confirm_shipments import confirm_shipments
from app.state import open_state
from domain.errors import CauseClass, Fault
from tests.floor import Floor

OUTAGE = Fault("no answer", transient=True, cause=CauseClass.OUTAGE)


async def shipped(floor: Floor, name: str = "1", units: int = 2) -> str:
    work = await floor.released({"SKU-0": units}, name)
    await floor.do("Accept", work)
    await floor.ship(work, f"T-{name}")
    return work


async def due(floor: Floor) -> None:
    await floor.company.execute("UPDATE fulfillments SET next_attempt_at = now() WHERE confirmation = 'PENDING'")


async def states(floor: Floor) -> list[tuple[str, int]]:
    rows = await floor.state.database.hot.fetch("SELECT confirmation, attempts FROM fulfillments ORDER BY id")
    return [(row[0], row[1]) for row in rows]


async def test_a_parcel_is_told_once(floor: Floor) -> None:
    await shipped(floor)
    assert await confirm_shipments(floor.state) == 1
    assert await confirm_shipments(floor.state) == 0
    (told,) = floor.company.shops["shop"].parcels
    assert (told.order_external_id, told.lines, told.carrier, told.tracking_number) == (
        "1",
        (("1-0", 2),),
        "DHL",
        "T-1",
    )
    assert await states(floor) == [("CONFIRMED", 1)]
    lanes = await floor.state.database.hot.fetch("SELECT lane, done FROM sync_attempts")
    assert [tuple(row) for row in lanes] == [("CONFIRM", 1)]


async def test_a_channel_that_fails_is_told_again_later(floor: Floor) -> None:
    await shipped(floor)
    said: list[Any] = [
        OUTAGE,
        Throttled("enough", 30.0),
        WriteResult(WriteOutcome.TRANSIENT, "not routed", None, None, 2.0),
    ]
    floor.company.shops["shop"].parcel_answers = said
    assert await confirm_shipments(floor.state) == 1
    waiting = await floor.company.value("SELECT next_attempt_at > now() - interval '1 s' FROM fulfillments")
    assert (await states(floor), waiting) == ([("PENDING", 1)], True)
    await due(floor)
    await confirm_shipments(floor.state)
    wait = await floor.company.value("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM fulfillments")
    assert 28 < wait <= 30
    await due(floor)
    await confirm_shipments(floor.state)
    await due(floor)
    await confirm_shipments(floor.state)
    assert await states(floor) == [("CONFIRMED", 4)]
    assert {parcel.key for parcel in floor.company.shops["shop"].parcels} == {
        str(await floor.company.value("SELECT id FROM fulfillments"))
    }
    assert await floor.cases() == []


async def test_a_refusal_is_a_case_and_a_corrected_label_its_end(floor: Floor) -> None:
    work = await shipped(floor)
    refusal = WriteResult(WriteOutcome.REFUSED, "no such carrier", CauseClass.VALIDATION)
    floor.company.shops["shop"].parcel_answers = [refusal, refusal]
    await confirm_shipments(floor.state)
    assert (await states(floor), await floor.cases()) == ([("REFUSED", 1)], [("CONFIRMATION_REFUSED", "OPEN")])
    assert await confirm_shipments(floor.state) == 0
    found = await floor.admin.data("{ exceptionCases { nodes { id subjectId detail } } }")
    (case,) = found["exceptionCases"]["nodes"]
    assert case["detail"] == "DHL T-1: no such carrier"
    made = await floor.admin.mutate("exceptionRetry", "exception { id }", id=case["id"])
    assert made["userErrors"] == []
    await confirm_shipments(floor.state)
    assert await states(floor) == [("REFUSED", 2)]
    parcel = (
        await floor.admin.data(
            "query($id: ID!) { node(id: $id) { id ... on Fulfillment { error } } }", id=case["subjectId"]
        )
    )["node"]
    assert parcel["error"] == "no such carrier"
    fixed = await floor.admin.mutate(
        "fulfillmentCorrect", "fulfillment { confirmation }", id=parcel["id"], carrier="UPS", trackingNumber="1Z"
    )
    assert fixed["fulfillment"]["confirmation"] == "PENDING"
    await confirm_shipments(floor.state)
    assert (await states(floor), await floor.cases()) == ([("CONFIRMED", 3)], [("CONFIRMATION_REFUSED", "RESOLVED")])
    assert floor.company.shops["shop"].parcels[-1].tracking_number == "1Z"
    again = await floor.admin.mutate(
        "fulfillmentCorrect", "fulfillment { id }", id=parcel["id"], carrier="UPS", trackingNumber="1Z"
    )
    assert again["userErrors"][0]["code"] == "WRONG_STATE"
    assert (await floor.admin.data("query($id: ID!) { node(id: $id) { id } }", id=work))["node"]["id"] == work


async def test_what_is_not_live_is_not_told(floor: Floor) -> None:
    await shipped(floor)
    await floor.company.execute("UPDATE channels SET status = 'PAUSED'")
    assert await confirm_shipments(floor.state) == 0
    await floor.company.execute("UPDATE channels SET status = 'SHADOW'")
    await shipped(floor, "2")
    await floor.company.execute("UPDATE channels SET status = 'LIVE'")
    assert await confirm_shipments(floor.state) == 1
    assert await states(floor) == [("CONFIRMED", 1), ("NOT_NEEDED", 0)]


async def test_direct_customers_channels_are_told_nothing(floor: Floor) -> None:
    houses = [{"warehouse": "NYC"}]
    await floor.admin.mutate("channelConnect", "", code="direct", name="Direct", warehouses=houses, b2b={})
    work = await floor.released({"SKU-0": 1}, "B-1", "direct")
    await floor.do("Accept", work)
    done = await floor.ship(work)
    assert done["shipments"][0]["confirmation"] == "NOT_NEEDED"


async def test_many_workers_tell_each_parcel_once(floor: Floor) -> None:
    for number in range(4):
        await shipped(floor, str(number))

    async def work(_: int) -> int:
        async with open_state(floor.state.settings, "worker") as state:
            return sum([await confirm_shipments(state) for _ in range(3)])

    assert sum(await asyncio.gather(*(work(n) for n in range(4)))) == 4
    told = [parcel.tracking_number for parcel in floor.company.shops["shop"].parcels]
    assert sorted(told) == ["T-0", "T-1", "T-2", "T-3"]
    assert await states(floor) == [("CONFIRMED", 1)] * 4


async def test_who_comes_after_its_lease_writes_nothing(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    await shipped(floor)
    floor.company.shops["shop"].parcel_answers = [WriteResult(WriteOutcome.REFUSED, "late", CauseClass.POLICY)]
    told = MemoryChannel.confirm_shipment

    async def slowly(shop: MemoryChannel, shipment: Shipment) -> WriteResult:
        result = await told(shop, shipment)
        if result.outcome is WriteOutcome.REFUSED:
            await due(floor)
            assert await confirm_shipments(floor.state) == 1
        return result

    monkeypatch.setattr(MemoryChannel, "confirm_shipment", slowly)
    assert await confirm_shipments(floor.state) == 1
    assert (await states(floor), await floor.cases()) == ([("CONFIRMED", 2)], [])


async def test_a_label_that_is_corrected_while_the_channel_is_told_is_told_again(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shipped(floor)
    key = encode_id("Fulfillment", str(await floor.company.value("SELECT id FROM fulfillments")))
    told = MemoryChannel.confirm_shipment

    async def slowly(shop: MemoryChannel, shipment: Shipment) -> WriteResult:
        result = await told(shop, shipment)
        if shipment.tracking_number == "T-1":
            label = {"carrier": "UPS", "trackingNumber": "1Z"}
            made = await floor.admin.mutate("fulfillmentCorrect", "fulfillment { id }", id=key, **label)
            assert made["userErrors"] == []
        return result

    monkeypatch.setattr(MemoryChannel, "confirm_shipment", slowly)
    assert await confirm_shipments(floor.state) == 1
    assert await states(floor) == [("PENDING", 1)]
    assert await confirm_shipments(floor.state) == 1
    assert [parcel.tracking_number for parcel in floor.company.shops["shop"].parcels] == ["T-1", "1Z"]
    assert await states(floor) == [("CONFIRMED", 2)]


async def test_a_carriers_word_may_come_late(floor: Floor) -> None:
    await shipped(floor)
    words = [("OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY"), ("IN_TRANSIT", "OUT_FOR_DELIVERY"), ("DELIVERED", "DELIVERED")]
    for told, kept in [*words, ("FAILED", "DELIVERED")]:
        made = await floor.admin.mutate(
            "fulfillmentDeliveryNote", "fulfillment { delivery deliveredAt }", trackingNumber="T-1", delivery=told
        )
        assert made["fulfillment"]["delivery"] == kept
    assert made["fulfillment"]["deliveredAt"] is not None
    missing = await floor.admin.mutate(
        "fulfillmentDeliveryNote", "fulfillment { id }", trackingNumber="T-9", delivery="DELIVERED"
    )
    assert missing["userErrors"][0]["code"] == "FULFILLMENT_NOT_FOUND"
