"""Picks of a transfer that reach the books when another tablet has said that it left."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest

from app.settings import Settings
from tests.floor_company import TRANSFER, FloorCompany, open_floor_company

START = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
LINES = [{"sku": "SKU-0", "quantity": 10}, {"sku": "SKU-1", "quantity": 4}]


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


def at(minute: int) -> str:
    return (START + datetime.timedelta(minutes=minute)).isoformat()


def pick(minute: int, sku: str, quantity: int) -> tuple[str, dict[str, Any]]:
    return "transferPick", {"occurredAt": at(minute), "lines": [{"sku": sku, "quantity": quantity}]}


def ship(minute: int) -> tuple[str, dict[str, Any]]:
    return "transferShip", {"occurredAt": at(minute)}


def receive(**found: int) -> tuple[str, dict[str, Any]]:
    return "transferReceive", {"lines": [{"sku": "SKU-0", **found}]}


async def create(company: FloorCompany) -> str:
    made = await company.do("transferCreate", TRANSFER, source="BER", destination="NYC", lines=LINES)
    return str(made["transfer"]["id"])


async def tell(company: FloorCompany, transfer: str, *steps: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    for name, fields in steps:
        made = await company.do(name, TRANSFER, id=transfer, **fields)
    return dict(made["transfer"])


def units(transfer: dict[str, Any], *names: str) -> list[tuple[int, ...]]:
    return [tuple(line[name] for name in names) for line in transfer["lines"]]


async def stand(company: FloorCompany) -> tuple[tuple[int, ...], ...]:
    """(available, committed) at the source, (available, inTransit, incoming) on the other side, of the first SKU."""
    return (
        await company.some("SKU-0", "BER", "available", "committed"),
        await company.some("SKU-0", "NYC", "available", "inTransit", "incoming"),
    )


async def test_what_was_picked_was_shipped_in_whatever_order_tablets_tell_it(company: FloorCompany) -> None:
    steps = (pick(1, "SKU-0", 3), pick(2, "SKU-0", 4), ship(5))
    for number, order in enumerate(permutations(steps), start=1):
        told = await tell(company, await create(company), *order)
        assert units(told, "picked", "shipped") == [(7, 7), (0, 0)], order
        assert await stand(company) == ((100 - 7 * number, 0), (100, 7 * number, 0))
        assert await company.some("SKU-1", "BER", "available", "committed") == (100, 0)


async def test_a_count_between_pick_and_departure_knows_a_pick_that_is_told_after_all(company: FloorCompany) -> None:
    counting: dict[str, Any] = {"warehouse": "BER", "skus": ["SKU-0"]}
    transfer = await create(company)
    count = (await company.do("countCreate", "count { id }", **counting))["count"]["id"]
    picked, scanned, shipped = (datetime.datetime.now(datetime.UTC).isoformat() for _ in range(3))
    await tell(company, transfer, ("transferShip", {"occurredAt": shipped}))
    scan = [{"sku": "SKU-0", "quantity": 97, "occurredAt": scanned}]
    for _ in range(2):
        seen = await company.do("countSubmit", "count { status }", id=count, lines=scan)
    assert seen["count"]["status"] == "REVIEW", "three are not on the shelf, and nobody has said why"
    three = [{"sku": "SKU-0", "quantity": 3}]
    await tell(company, transfer, ("transferPick", {"occurredAt": picked, "lines": three}))
    reviewed = "count { status lines { variance posted } }"
    done = await company.do("countReview", reviewed, await company.hire(), id=count)
    assert done["count"] == {"status": "POSTED", "lines": [{"variance": 0, "posted": 0}]}
    later = (await company.do("countCreate", "count { id }", **counting))["count"]["id"]
    scan = [{"sku": "SKU-0", "quantity": 97}]
    done = await company.do("countSubmit", "count { status }", id=later, lines=scan)
    assert done["count"]["status"] == "POSTED", "nothing differs"


async def test_what_nobody_picked_is_on_its_shelf_after_all(company: FloorCompany) -> None:
    """Shipped as it was asked for; what has arrived meanwhile was shipped, whatever the picks say."""
    cases: list[tuple[list[Any], str, tuple[int, ...]]] = [
        ([], "IN_TRANSIT", (3, 3, 0, 0, 0)),
        ([receive(received=2, missing=8)], "RECEIVED", (3, 3, 2, 1, 0)),
        ([receive(received=3, missing=7)], "RECEIVED", (3, 3, 3, 0, 0)),
        ([receive(received=6)], "RECEIVED", (3, 6, 6, 0, 0)),
        ([("transferCancel", {})], "RETURNING", (3, 3, 0, 0, 3)),
    ]
    for before, state, line in cases:
        told = await tell(company, await create(company), ship(5), *before, pick(1, "SKU-0", 3))
        assert told["state"] == state, before
        assert units(told, "picked", "shipped", "received", "missing", "recalled") == [line, (0,) * 5], before
    assert await stand(company) == ((100 - 18, 0), (111, 4, 0))
    assert await company.some("SKU-1", "BER", "available", "inTransit") == (100, 0)
    assert await company.some("SKU-1", "NYC", "available", "inTransit") == (100, 0)
    (case,) = await company.cases("TRANSFER_DISCREPANCY")
    assert case["detail"] == "SKU-0: 1 missing of 3"


async def test_one_that_was_received_is_on_the_way_again_when_more_had_left(company: FloorCompany) -> None:
    transfer = await create(company)
    told = await tell(company, transfer, pick(1, "SKU-0", 2), ship(5), receive(received=2))
    assert told["state"] == "RECEIVED"
    told = await tell(company, transfer, pick(2, "SKU-0", 5))
    assert (told["state"], units(told, "shipped", "received")) == ("IN_TRANSIT", [(7, 2), (0, 0)])
    told = await tell(company, transfer, receive(received=5))
    assert (told["state"], await stand(company)) == ("RECEIVED", ((93, 0), (107, 0, 0)))
    assert await company.value("SELECT received_at > shipped_at FROM transfers")


async def test_only_what_was_picked_before_it_left_is_taken_and_only_what_is_there(company: FloorCompany) -> None:
    transfer = await create(company)
    await tell(company, transfer, pick(1, "SKU-0", 2), ship(5))
    lines = [{"sku": "SKU-0", "quantity": 5}]
    moments: list[dict[str, Any]] = [{}, {"occurredAt": at(6)}]
    for when in moments:
        assert await company.refuse("transferPick", TRANSFER, id=transfer, lines=lines, **when) == "WRONG_STATE"
    lost = [{"sku": "SKU-0", "delta": -97}]
    await company.do("stockAdjust", "levels { id }", warehouse="BER", reason="LOST", lines=lost)
    made = await company.client.mutate("transferPick", TRANSFER, id=transfer, lines=lines, occurredAt=at(2))
    assert [(one["code"], one["path"]) for one in made["userErrors"]] == [
        ("INSUFFICIENT_STOCK", ["lines", "0", "quantity"])
    ]
    await tell(company, transfer, ("transferClose", {}))
    lines[0]["quantity"] = 1
    assert await company.refuse("transferPick", TRANSFER, id=transfer, lines=lines, occurredAt=at(2)) == "WRONG_STATE"
