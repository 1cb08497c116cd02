"""What a warehouse does not ship is promised from elsewhere, or is a case."""

from __future__ import annotations

from uuid import UUID

import pytest

from api.ids import encode_id
from app.fulfillment.reject_work import time_out_work, vacate_warehouses
from app.fulfillment.reroute_units import reroute_orders, settle_order_cases
from app.routing.allocate_order import allocate_order
from app.state import State
from tests.floor import Floor


async def reroute(floor: Floor) -> None:
    assert await reroute_orders(floor.state, allocate_order) == 1
    assert await reroute_orders(floor.state, allocate_order) == 0
    await settle_order_cases(floor.state)


async def other_house(floor: Floor, work: str) -> tuple[str, str]:
    house = await floor.house_of(work)
    return house, "NYC" if house == "BER" else "BER"


async def empty(floor: Floor, house: str) -> None:
    level = await floor.level("SKU-0", house)
    lines = [{"sku": "SKU-0", "delta": -level["available"]}]
    made = await floor.admin.mutate("stockAdjust", "levels { available }", warehouse=house, reason="LOST", lines=lines)
    assert made["userErrors"] == []


async def test_rejected_work_goes_to_another_warehouse(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    done = await floor.do("Reject", work, reason="NO_CAPACITY")
    assert (done["status"], done["rejectReason"]) == ("REJECTED", "NO_CAPACITY")
    assert (await floor.level("SKU-0", house))["available"] == 10
    assert await floor.status(order) == "BACKORDERED"
    await reroute(floor)
    assert await floor.status(order) == "ALLOCATED"
    assert await floor.house_of(await floor.work_of(order)) == other
    assert await floor.cases() == []


async def test_what_is_not_there_leaves_the_ledger(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    await floor.do("Reject", work, reason="NOT_IN_STOCK")
    level = await floor.level("SKU-0", house)
    assert (level["available"], level["committed"]) == (7, 0)
    reason = "SELECT reason FROM stock_movements WHERE from_bucket = 'committed' AND to_bucket = 'adjustment'"
    assert await floor.company.value(reason) == "SHORT_PICK"
    assert await floor.cases() == [("SHORT_PICK", "OPEN")]
    await reroute(floor)
    assert await floor.house_of(await floor.work_of(order)) == other
    assert await floor.cases() == [("SHORT_PICK", "RESOLVED")]
    proof = await floor.company.value("SELECT proof::text FROM exception_cases")
    assert other in proof


async def test_nobody_else_has_it_is_a_case_until_somebody_has(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    await empty(floor, other)
    await floor.do("Reject", work, reason="OTHER")
    await reroute(floor)
    assert (await floor.cases(), await floor.status(order)) == ([("REJECTION", "OPEN")], "BACKORDERED")
    case = (await floor.admin.data("{ exceptionCases { nodes { id warehouse } } }"))["exceptionCases"]["nodes"][0]
    assert case["warehouse"] == house
    lines = [{"sku": "SKU-0", "quantity": 5}]
    await floor.admin.mutate("stockReceive", "levels { available }", warehouse=other, lines=lines)
    made = await floor.admin.mutate("exceptionRetry", "exception { state }", id=case["id"])
    assert made == {"exception": {"state": "OPEN"}, "userErrors": []}
    await reroute(floor)
    assert (await floor.cases(), await floor.status(order)) == ([("REJECTION", "RESOLVED")], "ALLOCATED")


async def test_what_no_warehouse_has_is_a_case_until_one_has_it(floor: Floor) -> None:
    """Nobody refused anything, and somebody has settled that units were short: stock is all that lacks."""
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    houses = await other_house(floor, work)
    for verb in ("Accept", "StartPicking"):
        await floor.do(verb, work)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 1, "short": 2}])
    (case,) = (await floor.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"]
    made = await floor.admin.mutate("exceptionResolve", "exception { state }", id=case["id"], note="counted")
    assert made["userErrors"] == []
    for house in houses:
        await empty(floor, house)
    await reroute(floor)
    short = ("SHORT_PICK", "RESOLVED")
    assert await floor.cases() == [short, ("ALLOCATION_IMPOSSIBLE", "OPEN")]
    await settle_order_cases(floor.state)
    assert await floor.cases() == [short, ("ALLOCATION_IMPOSSIBLE", "OPEN")], "two units still wait"
    lines = [{"sku": "SKU-0", "quantity": 2}]
    await floor.admin.mutate("stockReceive", "levels { available }", warehouse=houses[1], lines=lines)
    case = (await floor.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"][0]
    assert (await floor.admin.mutate("exceptionRetry", "exception { state }", id=case["id"]))["userErrors"] == []
    await reroute(floor)
    assert await floor.cases() == [short, ("ALLOCATION_IMPOSSIBLE", "RESOLVED")]
    assert await floor.house_of(await floor.work_of(order)) == houses[1]


async def test_a_warehouse_that_rejected_is_asked_again_when_somebody_says_so(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    await empty(floor, other)
    await floor.do("Reject", work, reason="NO_CAPACITY")
    await reroute(floor)
    (case,) = (await floor.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"]
    retry = "exception { timeline { action data } }"
    for wrong, code in ((other, "INVALID_INPUT"), ("NOWHERE", "WAREHOUSE_NOT_FOUND")):
        made = await floor.admin.mutate("exceptionRetry", retry, id=case["id"], warehouses=[wrong])
        assert (made["userErrors"][0]["code"], made["userErrors"][0]["path"][-2:]) == (code, ["warehouses", "0"])
    await floor.admin.mutate("exceptionRetry", retry, id=case["id"])
    await reroute(floor)
    assert await floor.status(order) == "BACKORDERED", "it has the units, and is not asked"
    made = await floor.admin.mutate("exceptionRetry", retry, id=case["id"], warehouses=[house])
    assert made["userErrors"] == []
    assert made["exception"]["timeline"][-1]["data"]["warehouses"] == [house]
    await reroute(floor)
    again = await floor.release_of(order)
    assert (again != work, await floor.house_of(again)) == (True, house)
    await floor.do("Reject", again, reason="NO_CAPACITY")
    await reroute(floor)
    assert await floor.status(order) == "BACKORDERED", "it was asked once more, not for good"


async def recover(floor: Floor, choice: str, **fields: str) -> str:
    """What becomes of the one case that is open."""
    query = "{ exceptionCases(filter: {states: [OPEN]}) { nodes { id } } }"
    (case,) = (await floor.admin.data(query))["exceptionCases"]["nodes"]
    made = await floor.admin.mutate(
        "exceptionRecover", "exception { kind state }", id=case["id"], recovery=choice, **fields
    )
    assert made["userErrors"] == []
    return " ".join(made["exception"].values())


async def test_people_choose_what_becomes_of_units_that_nobody_ships(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    await empty(floor, other)
    await floor.do("Reject", work, reason="NO_CAPACITY")
    await reroute(floor)
    assert await recover(floor, "SUBSTITUTE", warehouse=house, shipFrom=other) == "REJECTION ACKNOWLEDGED"
    (transfer,) = (await floor.admin.data("{ transfers { nodes { id } } }"))["transfers"]["nodes"]
    assert (await floor.admin.mutate("transferCancel", "", id=transfer["id"]))["userErrors"] == []
    assert await floor.cases() == [("REJECTION", "OPEN")], "the transfer brings nothing"
    assert await recover(floor, "CANCEL") == "REJECTION RESOLVED"
    assert await floor.status(order) == "CANCELLED"
    work = await floor.picking({"SKU-0": 5}, "2")
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 3, "short": 2}])
    await reroute(floor)
    assert await recover(floor, "BACKORDER") == "SHORT_PICK RESOLVED"
    await floor.company.execute("UPDATE orders SET reroute_at = now() WHERE external_id = '2'")
    await reroute(floor)
    assert await recover(floor, "CANCEL") == "ALLOCATION_IMPOSSIBLE RESOLVED"
    assert (await floor.ship(work))["status"] == "SHIPPED"
    assert await floor.company.value("SELECT status FROM orders WHERE external_id = '2'") == "SHIPPED"


async def test_a_cancelled_order_has_no_case_any_more(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    await empty(floor, (await other_house(floor, work))[1])
    await floor.do("Reject", work, reason="OTHER")
    await reroute(floor)
    await floor.cancel()
    assert await floor.status(order) == "CANCELLED"
    await settle_order_cases(floor.state)
    assert await floor.cases() == [("REJECTION", "RESOLVED")]


async def test_a_short_pick_ships_what_there_is(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 5})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    await floor.do("Accept", work)
    await floor.do("StartPicking", work)
    done = await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 3, "short": 2}])
    assert (done["status"], done["lines"][0]["short"]) == ("PICKED", 2)
    level = await floor.level("SKU-0", house)
    assert (level["available"], level["committed"]) == (5, 3)
    assert (await floor.ship(work))["status"] == "SHIPPED"
    assert await floor.status(order) == "PARTLY_SHIPPED"
    await reroute(floor)
    rest = await floor.work_of(order)
    assert (rest != work, await floor.house_of(rest)) == (True, other)
    assert await floor.cases() == [("SHORT_PICK", "RESOLVED")]
    await floor.release_of(order)
    await floor.do("Accept", rest)
    await floor.ship(rest, "T-2")
    assert await floor.status(order) == "SHIPPED"


async def test_all_short_ends_the_work(floor: Floor) -> None:
    work = await floor.picking({"SKU-0": 2})
    done = await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 0, "short": 2}])
    assert (done["status"], done["rejectReason"]) == ("REJECTED", "NOT_IN_STOCK")


async def test_the_rest_of_a_partly_shipped_one_may_be_rejected(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    await floor.do("Accept", work)
    await floor.ship(work, lines=[{"sku": "SKU-0", "quantity": 1}])
    assert (await floor.do("Reject", work, reason="DAMAGED"))["status"] == "SHIPPED"
    await reroute(floor)
    assert await floor.status(order) == "PARTLY_SHIPPED"
    assert await floor.work_of(order) != work


async def test_who_rejected_the_rest_does_not_get_it_again(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3}, "market")
    work = await floor.release_of(order)
    await floor.do("Accept", work)
    await floor.ship(work, lines=[{"sku": "SKU-0", "quantity": 1}])
    assert (await floor.do("Reject", work, reason="NO_CAPACITY"))["status"] == "SHIPPED"
    await reroute(floor)
    assert (await floor.work_of(order), await floor.cases()) == (work, [("REJECTION", "OPEN")])
    case = (await floor.admin.data("{ exceptionCases { nodes { id detail } } }"))["exceptionCases"]["nodes"][0]
    assert case["detail"] == "NO_CAPACITY: 2 units wait for stock elsewhere."
    made = await floor.admin.mutate("exceptionRetry", "exception { id }", id=case["id"], warehouses=["NYC"])
    assert made["userErrors"] == []
    await reroute(floor)
    assert await floor.house_of(await floor.work_of(order)) == "NYC"
    assert await floor.cases() == [("REJECTION", "RESOLVED")]


async def test_what_is_rejected_as_damaged_is_not_sold_again(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3, "SKU-1": 1}, "market")
    await floor.order({"SKU-0": 9}, "market", "2")  # 7 of them are there, 2 wait
    work = await floor.release_of(order)
    await floor.do("Reject", work, reason="DAMAGED")
    level = "SELECT available, committed, damaged FROM stock_levels l JOIN skus s ON s.id = l.sku_id "
    where = "JOIN warehouses w ON w.id = l.warehouse_id WHERE w.code = 'NYC' AND s.code = 'SKU-0'"
    assert tuple(await floor.state.database.hot.fetchrow(level + where)) == (0, 7, 3)
    shown = "{ damages { nodes { sku { code } quantity cause origin document } } }"
    found = (await floor.admin.data(shown))["damages"]["nodes"]
    assert {one["sku"]["code"]: one["quantity"] for one in found} == {"SKU-0": 3, "SKU-1": 1}
    assert {(one["cause"], one["origin"]) for one in found} == {("REJECTED", "PICKING")}


async def test_what_breaks_when_it_is_packed_is_promised_elsewhere(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 1})
    work = await floor.release_of(order)
    house, other = await other_house(floor, work)
    for verb in ("Accept", "StartPicking"):
        await floor.do(verb, work)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 1}])
    await floor.do("Pack", work)
    assert (await floor.do("Reject", work, reason="DAMAGED"))["status"] == "REJECTED"
    assert (await floor.level("SKU-0", house))["available"] == 9
    await reroute(floor)
    assert await floor.house_of(await floor.work_of(order)) == other


@pytest.mark.parametrize("whose", ["order", "work"])
async def test_what_was_held_has_all_its_time_again(floor: Floor, whose: str) -> None:
    order = await floor.order({"SKU-0": 1})
    work = await floor.release_of(order)
    key = encode_id("Order", str(order))
    if whose == "order":
        assert (await floor.admin.mutate("orderHold", "order { id }", id=key, reason="WAIT"))["userErrors"] == []
    else:
        await floor.do("Hold", work, reason="WAIT")
    await floor.company.execute("UPDATE fulfillment_orders SET accept_by = now() - interval '1 hour'")
    assert await time_out_work(floor.state) == 0
    if whose == "order":
        assert (await floor.admin.mutate("orderRelease", "order { id }", id=key))["userErrors"] == []
    else:
        await floor.do("Release", work)
    assert await time_out_work(floor.state) == 0
    await floor.do("Accept", work)


async def test_an_order_that_fails_waits_alone(floor: Floor) -> None:
    first, second = await floor.order({"SKU-0": 1}), await floor.order({"SKU-0": 1}, name="2")
    for work in (await floor.release_of(first), await floor.work_of(second)):
        await floor.do("Reject", work, reason="DAMAGED")

    async def refuse_the_first(state: State, order_id: UUID) -> object:
        if order_id == first:
            raise ValueError("nobody thought of this")
        return await allocate_order(state, order_id)

    assert await reroute_orders(floor.state, refuse_the_first) == 2
    assert (await floor.status(first), await floor.status(second)) == ("BACKORDERED", "ALLOCATED")
    await floor.company.execute("UPDATE orders SET reroute_at = now() WHERE reroute_at IS NOT NULL")
    await reroute(floor)
    assert await floor.status(first) == "ALLOCATED"


async def test_nobody_takes_it_on_in_time(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    work = await floor.release_of(order)
    held = await floor.released({"SKU-1": 1}, "2")
    await floor.do("Hold", held, reason="wait")
    other = (await other_house(floor, work))[1]
    assert await time_out_work(floor.state) == 0
    await floor.company.execute("UPDATE fulfillment_orders SET accept_by = now() - interval '1 second'")
    assert await time_out_work(floor.state) == 1
    reason = await floor.company.value("SELECT reject_reason FROM fulfillment_orders WHERE status = 'REJECTED'")
    assert reason == "TIMED_OUT"
    await reroute(floor)
    assert await floor.house_of(await floor.work_of(order)) == other


@pytest.mark.parametrize("status", ["CLOSED", "ONBOARDING"])
async def test_what_nobody_took_on_leaves_a_warehouse_that_is_closed(floor: Floor, status: str) -> None:
    waiting, begun = await floor.order({"SKU-0": 3}), await floor.order({"SKU-1": 1}, name="2")
    work = await floor.release_of(begun)
    await floor.do("Accept", work)
    await floor.company.execute(
        "UPDATE fulfillment_orders SET status = 'SCHEDULED', released_at = NULL WHERE order_id = $1", waiting
    )
    house, other = await other_house(floor, await floor.work_of(waiting))
    assert await vacate_warehouses(floor.state) == 0
    await floor.admin.mutate("warehouseUpdate", "", warehouse=house, status=status)
    floor.state.routing.forget()
    assert await vacate_warehouses(floor.state) == 1
    reason = await floor.company.value("SELECT reject_reason FROM fulfillment_orders WHERE status = 'REJECTED'")
    assert reason == "WAREHOUSE_CLOSED"
    await reroute(floor)
    assert await floor.house_of(await floor.work_of(waiting)) == other
    assert await floor.work_of(begun) == work, "what was begun is finished there"
    assert await floor.cases() == []


async def test_what_nobody_else_has_of_a_closed_warehouse_is_a_case(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3})
    house, other = await other_house(floor, await floor.work_of(order))
    await empty(floor, other)
    await floor.admin.mutate("warehouseUpdate", "", warehouse=house, status="CLOSED")
    floor.state.routing.forget()
    assert await vacate_warehouses(floor.state) == 1
    await reroute(floor)
    assert (await floor.status(order), await floor.cases()) == ("BACKORDERED", [("REJECTION", "OPEN")])


async def test_what_was_accepted_does_not_time_out(floor: Floor) -> None:
    work = await floor.released()
    await floor.do("Accept", work)
    await floor.company.execute("UPDATE fulfillment_orders SET accept_by = now() - interval '1 second'")
    assert await time_out_work(floor.state) == 0
