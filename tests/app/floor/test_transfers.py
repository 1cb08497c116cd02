"""A transfer's life: where its units are at each step, and who may take it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from adapters.postgres.urls import asyncpg_url
from app.settings import Settings
from domain.identity import Role
from tests.floor_company import TRANSFER, FloorCompany, open_floor_company

TEN = [{"sku": "SKU-0", "quantity": 10}]


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


async def create(company: FloorCompany, lines: Any = TEN, **fields: Any) -> str:
    made = await company.do("transferCreate", TRANSFER, source="BER", destination="NYC", lines=lines, **fields)
    return str(made["transfer"]["id"])


async def ends(company: FloorCompany) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(available, committed) of the source; (available, damaged, inTransit, incoming) of the destination."""
    return (
        await company.some("SKU-0", "BER", "available", "committed"),
        await company.some("SKU-0", "NYC", "available", "damaged", "inTransit", "incoming"),
    )


async def test_units_are_in_one_place_at_each_step(company: FloorCompany) -> None:
    transfer = await create(company)
    assert await ends(company) == ((90, 10), (100, 0, 0, 10))
    await company.do("transferPick", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "quantity": 4}])
    picked = await company.do("transferPick", TRANSFER, id=transfer, lines=[{"sku": "400000", "quantity": 4}])
    assert picked["transfer"]["state"] == "PICKING"
    shipped = await company.do("transferShip", TRANSFER, id=transfer, carrier="TRUCK", trackingNumber="T-1")
    assert shipped["transfer"]["state"] == "IN_TRANSIT"
    assert await ends(company) == ((92, 0), (100, 0, 8, 0))  # two were never picked: back on the shelf
    part = [{"sku": "SKU-0", "received": 3, "damaged": 1}]
    received = await company.do("transferReceive", TRANSFER, id=transfer, lines=part)
    assert received["transfer"]["state"] == "IN_TRANSIT"
    assert await ends(company) == ((92, 0), (103, 1, 4, 0))
    rest = [{"sku": "SKU-0", "received": 2, "missing": 2}]
    received = await company.do("transferReceive", TRANSFER, id=transfer, lines=rest)
    assert received["transfer"]["state"] == "RECEIVED"
    assert await ends(company) == ((92, 0), (105, 1, 2, 0))  # what is missing is on the way until it is given up
    (case,) = await company.cases("TRANSFER_DISCREPANCY")
    assert case["detail"] == "SKU-0: 2 missing and 1 damaged of 8"
    assert case["warehouse"] == "NYC"
    found = await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 1}])
    assert found["transfer"]["lines"][0]["missing"] == 1
    closed = await company.do("transferClose", TRANSFER, id=transfer)
    assert closed["transfer"]["state"] == "CLOSED"
    assert closed["transfer"]["lines"][0]["writtenOff"] == 1
    assert await ends(company) == ((92, 0), (106, 1, 0, 0))
    assert await company.cases("TRANSFER_DISCREPANCY") == []
    damages = await company.client.data("{ damages { nodes { origin quantity document sku { code } } } }")
    (damage,) = damages["damages"]["nodes"]
    assert (damage["origin"], damage["quantity"], damage["document"][:9]) == ("TRANSIT", 1, "transfer:")


async def test_a_clean_transfer_opens_no_case_and_its_movements_name_it(company: FloorCompany) -> None:
    transfer = await create(company, reference="REF-9")
    await company.do("transferShip", TRANSFER, id=transfer)
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 10}])
    await company.do("transferClose", TRANSFER, id=transfer)
    assert await ends(company) == ((90, 0), (110, 0, 0, 0))
    assert await company.cases("TRANSFER_DISCREPANCY", states=("OPEN", "RESOLVED")) == []
    found = await company.client.data(
        '{ stockMovements(filter: {sku: "SKU-0", reasons: ["TRANSFER_SHIPPED"]}) { nodes { fromBucket toBucket quantity document warehouse { code } } } }'
    )
    moves = [(m["warehouse"]["code"], m["fromBucket"], m["toBucket"]) for m in found["stockMovements"]["nodes"]]
    assert moves == [("BER", "COMMITTED", "TRANSFER"), ("NYC", "TRANSFER", "IN_TRANSIT")]
    assert len({m["document"] for m in found["stockMovements"]["nodes"]}) == 1


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_cancelled_before_it_is_shipped_the_units_are_back_on_the_shelf(
    company: FloorCompany, steps: int
) -> None:
    transfer = await create(company)
    if steps:
        await company.do("transferPick", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "quantity": 5 * steps}])
    cancelled = await company.do("transferCancel", TRANSFER, id=transfer)
    assert cancelled["transfer"]["state"] == "CANCELLED"
    assert await ends(company) == ((100, 0), (100, 0, 0, 0))


async def test_called_back_on_the_way_it_is_received_at_the_source(company: FloorCompany) -> None:
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 4}])
    turned = await company.do("transferCancel", TRANSFER, id=transfer)
    assert turned["transfer"]["state"] == "RETURNING"
    assert await company.some("SKU-0", "BER", "inTransit", "available") == (6, 90)
    assert await company.some("SKU-0", "NYC", "inTransit", "available") == (0, 104)
    nyc = await company.hire(Role.WAREHOUSE, houses=("NYC",))
    ber = await company.hire(Role.WAREHOUSE, houses=("BER",))
    back = [{"sku": "SKU-0", "received": 5}]
    assert await company.refuse("transferReceive", TRANSFER, client=nyc, id=transfer, lines=back) == "NOT_ALLOWED"
    await company.do("transferReceive", TRANSFER, client=ber, id=transfer, lines=back)
    last = [{"sku": "SKU-0", "damaged": 1, "cause": "DROPPED"}]
    done = await company.do("transferReceive", TRANSFER, client=ber, id=transfer, lines=last)
    assert done["transfer"]["state"] == "CANCELLED"
    assert await company.some("SKU-0", "BER", "available", "damaged", "inTransit") == (95, 1, 0)


async def test_what_came_although_it_was_called_back_is_not_taken_for_what_came_to_the_other_end(
    company: FloorCompany,
) -> None:
    """Whoever sees both ends says where it stands; the books do not guess."""
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    await company.do("transferCancel", TRANSFER, id=transfer)
    came: dict[str, Any] = {"id": transfer, "lines": [{"sku": "SKU-0", "received": 5}]}
    assert await company.refuse("transferReceive", TRANSFER, warehouse="NYC", **came) == "WRONG_STATE"
    assert await company.refuse("transferReceive", TRANSFER, warehouse="NIX", **came) == "WAREHOUSE_NOT_FOUND"
    assert await company.some("SKU-0", "BER", "available", "inTransit") == (90, 10)
    await company.do("transferReceive", TRANSFER, warehouse="BER", **came)
    assert await company.some("SKU-0", "BER", "available", "inTransit") == (95, 5)


async def test_what_was_called_back_and_lost_is_written_off_at_the_source(company: FloorCompany) -> None:
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    await company.do("transferCancel", TRANSFER, id=transfer)
    lines = [{"sku": "SKU-0", "received": 7, "missing": 3}]
    assert (await company.do("transferReceive", TRANSFER, id=transfer, lines=lines))["transfer"]["state"] == "RETURNING"
    done = await company.do("transferClose", TRANSFER, id=transfer)
    assert (done["transfer"]["state"], done["transfer"]["lines"][0]["writtenOff"]) == ("CANCELLED", 3)
    assert await company.some("SKU-0", "BER", "available", "inTransit") == (97, 0)


async def test_more_than_was_shipped_is_refused_with_what_to_do(company: FloorCompany) -> None:
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    for lines in (
        [{"sku": "SKU-0", "received": 11}],
        [{"sku": "SKU-0", "received": 8, "missing": 3}],
        [{"sku": "SKU-0", "damaged": 11}],
    ):
        assert await company.refuse("transferReceive", TRANSFER, id=transfer, lines=lines) == "OVER_RECEIPT"
    for odd in ([{"sku": "SKU-0"}], [{"sku": "SKU-0", "received": -1, "damaged": 2}]):
        assert await company.refuse("transferReceive", TRANSFER, id=transfer, lines=odd) == "INVALID_QUANTITY"
    other = [{"sku": "SKU-1", "received": 1}]
    assert await company.refuse("transferReceive", TRANSFER, id=transfer, lines=other) == "INVALID_INPUT"
    assert await ends(company) == ((90, 0), (100, 0, 10, 0))


async def test_more_than_there_is_cannot_be_transferred(company: FloorCompany) -> None:
    given: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": [*TEN, {"sku": "SKU-1", "quantity": 101}]}
    made = await company.client.mutate("transferCreate", TRANSFER, **given)
    assert (made["userErrors"][0]["code"], made["userErrors"][0]["path"]) == (
        "INSUFFICIENT_STOCK",
        ["lines", "1", "quantity"],
    )
    assert await ends(company) == ((100, 0), (100, 0, 0, 0))
    assert await company.refuse("transferCreate", TRANSFER, **{**given, "destination": "BER"}) == "INVALID_INPUT"


async def test_above_the_limit_a_second_person_approves(company: FloorCompany) -> None:
    await company.do("approvalPolicySet", "policies { kind role unitsMax }", kind="TRANSFER", unitsMax=9)
    asker, other = await company.hire(Role.OPERATIONS), await company.hire(Role.OPERATIONS)
    given: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": TEN}
    made = await company.do("transferCreate", TRANSFER, client=asker, **given)
    transfer = made["transfer"]["id"]
    assert made["transfer"]["state"] == "AWAITING_APPROVAL"
    assert await ends(company) == ((100, 0), (100, 0, 0, 0))
    assert await company.refuse("transferShip", TRANSFER, client=other, id=transfer) == "WRONG_STATE"
    assert await company.refuse("transferApprove", TRANSFER, client=asker, id=transfer) == "SAME_PERSON"
    approved = await company.do("transferApprove", TRANSFER, client=other, id=transfer)
    assert approved["transfer"]["state"] == "APPROVED"
    assert await ends(company) == ((90, 10), (100, 0, 0, 10))
    nine = await company.do(
        "transferCreate", TRANSFER, client=asker, **{**given, "lines": [{"sku": "SKU-0", "quantity": 9}]}
    )
    assert nine["transfer"]["state"] == "APPROVED"


async def test_nobody_gets_a_second_hand_by_making_a_token(company: FloorCompany) -> None:
    await company.do("approvalPolicySet", "policies { kind }", kind="TRANSFER", unitsMax=0)
    transfer = await create(company)
    made = await company.do("tokenCreate", "secret", name="mine too", roles=["ADMIN"])
    mine = type(company.client)(company.http, made["secret"])
    assert await company.refuse("transferApprove", TRANSFER, client=mine, id=transfer) == "SAME_PERSON"
    made = await company.do("tokenCreate", "secret", client=mine, name="and mine", roles=["ADMIN"])
    hidden = type(company.client)(company.http, made["secret"])
    assert await company.refuse("transferApprove", TRANSFER, client=hidden, id=transfer) == "SAME_PERSON"


async def test_a_limit_of_value_counts_unit_costs(company: FloorCompany) -> None:
    lines = [{"code": "SKU-0", "unitCost": {"amount": "5.00"}}]
    await company.do("skuUpsert", "skus { code }", lines=lines)
    await company.do("approvalPolicySet", "policies { kind }", kind="TRANSFER", valueMax="50")
    fifty, more = [{"sku": "SKU-0", "quantity": 10}], [{"sku": "SKU-0", "quantity": 11}]
    given: dict[str, Any] = {"source": "BER", "destination": "NYC"}
    states = []
    for asked in (fifty, more, [{"sku": "SKU-1", "quantity": 1}]):  # SKU-1 has no cost: nobody knows its value
        made = await company.do("transferCreate", TRANSFER, lines=asked, **given)
        states.append(made["transfer"]["state"])
    assert states == ["APPROVED", "AWAITING_APPROVAL", "AWAITING_APPROVAL"]


async def test_on_hand_and_in_transit_together_are_constant_at_every_instant(company: FloorCompany) -> None:
    """Sampled from another connection while transfers of three warehouses go all ways at once."""
    query = "SELECT sum(available + reserved + committed + damaged + quality_control + in_transit), sum(transfer) FROM stock_levels"
    done, samples = asyncio.Event(), []

    async def sample() -> None:
        connection = await asyncpg.connect(asyncpg_url(company.state.settings.database_url))
        while not done.is_set():
            samples.append(tuple(await connection.fetchrow(query)))
        await connection.close()

    async def go(source: str, destination: str, number: int) -> None:
        lines: list[Any] = [{"sku": f"SKU-{(number + n) % 3}", "quantity": 1 + (number + n) % 4} for n in range(2)]
        given: dict[str, Any] = {"source": source, "destination": destination, "lines": lines}
        made = await company.do("transferCreate", TRANSFER, **given)
        transfer = made["transfer"]["id"]
        await company.do("transferShip", TRANSFER, id=transfer)
        if number % 3 == 0:
            await company.do("transferCancel", TRANSFER, id=transfer)
        for line in lines:
            await company.do(
                "transferReceive", TRANSFER, id=transfer, lines=[{"sku": line["sku"], "received": line["quantity"]}]
            )

    sampler = asyncio.create_task(sample())
    ways = [("BER", "NYC"), ("NYC", "SYD"), ("SYD", "BER"), ("NYC", "BER")]
    await asyncio.gather(*(go(*ways[n % 4], n) for n in range(24)))
    done.set()
    await sampler
    assert len(samples) > 50
    assert set(samples) == {(900, 0)}
    assert await company.value("SELECT sum(in_transit) + sum(incoming) FROM stock_levels") == 0


async def test_two_who_receive_the_same_units_get_them_once(company: FloorCompany) -> None:
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    lines = [{"sku": "SKU-0", "received": 10}]
    both = await asyncio.gather(
        *(company.client.mutate("transferReceive", TRANSFER, id=transfer, lines=lines) for _ in range(4))
    )
    assert sorted(len(one["userErrors"]) for one in both) == [0, 1, 1, 1]
    assert await ends(company) == ((90, 0), (110, 0, 0, 0))


async def test_a_count_does_not_look_for_what_is_picked_and_stands_at_the_dock(company: FloorCompany) -> None:
    transfer = await create(company)
    await company.do("transferPick", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "quantity": 4}])
    count = await company.do("countCreate", "count { id }", warehouse="BER", skus=["SKU-0"])
    found = [{"sku": "SKU-0", "quantity": 96}]
    done = await company.do("countSubmit", "count { status }", id=count["count"]["id"], lines=found)
    assert done["count"]["status"] == "POSTED", "nothing differs"


async def test_who_cancels_one_that_is_picked_says_that_it_is_back_on_its_shelf(company: FloorCompany) -> None:
    """Nobody asks the source again, as an order's warehouse is: a count after it finds all of it there."""
    transfer = await create(company)
    await company.do("transferPick", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "quantity": 4}])
    await company.do("transferCancel", TRANSFER, id=transfer)
    count = await company.do("countCreate", "count { id }", warehouse="BER", skus=["SKU-0"])
    found = [{"sku": "SKU-0", "quantity": 100}]
    done = await company.do("countSubmit", "count { status }", id=count["count"]["id"], lines=found)
    assert done["count"]["status"] == "POSTED", "nothing differs"


async def test_an_end_that_is_not_mine_is_not_mine_to_act_on(company: FloorCompany) -> None:
    transfer = await create(company)
    nyc, syd = await company.hire(Role.WAREHOUSE, houses=("NYC",)), await company.hire(Role.WAREHOUSE, houses=("SYD",))
    assert await company.refuse("transferShip", TRANSFER, client=nyc, id=transfer) == "NOT_ALLOWED"
    assert await company.refuse("transferShip", TRANSFER, client=syd, id=transfer) == "TRANSFER_NOT_FOUND"
    seen = [(await who.data("{ transfers { nodes { state } } }"))["transfers"]["nodes"] for who in (nyc, syd)]
    assert seen == [[{"state": "APPROVED"}], []]
    assert (await syd.data("query($i: ID!) { node(id: $i) { id } }", i=transfer))["node"] is None


async def test_a_loss_above_the_limit_is_written_off_by_a_second_person(company: FloorCompany) -> None:
    """One of four turns up while it waits; the other three are lost, and only then."""
    await company.do("approvalPolicySet", "policies { kind }", kind="ADJUSTMENT", role="OPERATIONS", unitsMax=3)
    clerk, second = await company.hire(Role.OPERATIONS), await company.hire(Role.OPERATIONS)
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 6, "missing": 4}])
    closing = "transfer { state } adjustment { id label kind state moves { quantity fromBucket } }"
    made = await company.do("transferClose", closing, clerk, id=transfer, note="looked everywhere")
    assert (made["transfer"]["state"], made["adjustment"]["kind"]) == ("RECEIVED", "TRANSFER")
    assert made["adjustment"]["moves"] == [{"quantity": 4, "fromBucket": "IN_TRANSIT"}]
    assert await ends(company) == ((90, 0), (106, 0, 4, 0)), "nothing has moved"
    assert await company.refuse("transferClose", closing, second, id=transfer) == "WRONG_STATE", "it waits already"
    adjustment = {"id": made["adjustment"]["id"]}
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 1}])
    await company.do("adjustmentApprove", "adjustment { state }", second, **adjustment)
    assert await ends(company) == ((90, 0), (107, 0, 0, 0))
    assert await company.value("SELECT state FROM transfers") == "CLOSED"
    note = await company.value("SELECT note FROM stock_movements WHERE to_bucket = 'adjustment' AND quantity = 3")
    assert note == "looked everywhere"
    lost = "SELECT effective_at >= (SELECT max(decided_at) FROM adjustments) FROM stock_movements WHERE note = $1"
    assert await company.value(lost, note), "not before what turned up meanwhile"
    assert await company.refuse("adjustmentApprove", "adjustment { state }", second, **adjustment) == "WRONG_STATE"


async def test_who_asked_to_write_off_does_not_approve_and_a_rejected_loss_is_on_the_way(company: FloorCompany) -> None:
    await company.do("approvalPolicySet", "policies { kind }", kind="ADJUSTMENT", role="OPERATIONS", unitsMax=0)
    clerk, second = await company.hire(Role.OPERATIONS), await company.hire(Role.OPERATIONS)
    transfer = await create(company)
    await company.do("transferShip", TRANSFER, id=transfer)
    made = await company.do("transferClose", "adjustment { id }", clerk, id=transfer)
    adjustment = {"id": made["adjustment"]["id"]}
    assert await company.refuse("adjustmentApprove", "adjustment { id }", clerk, **adjustment) == "SAME_PERSON"
    await company.do("transferCancel", TRANSFER, id=transfer)
    assert await company.refuse("adjustmentApprove", "adjustment { id }", second, **adjustment) == "WRONG_STATE"
    await company.do("adjustmentReject", "adjustment { id }", second, **adjustment)
    assert await company.some("SKU-0", "BER", "available", "inTransit") == (90, 10)
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 10}])
    assert await company.value("SELECT state FROM transfers") == "CANCELLED"
