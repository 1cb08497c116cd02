"""An order is routed and promised in one step, on what is there, with its reasons."""

from __future__ import annotations

import datetime
from uuid import UUID

import orjson
import pytest

from app.orders.place_order import PlaceOrder
from app.routing.allocate_order import allocate_order
from app.state import State
from domain.errors import Refusal
from domain.routing.keep_plan import keep_plan
from domain.routing.keep_problem import revive_problem
from domain.routing.read_policy import read_policy
from domain.routing.route import route
from tests.app.routing.world import CITIES, assert_sound, houses_of, make_houses, place
from tests.seed import add_stock


async def test_without_a_policy_the_nearest_fills_it_alone(state: State) -> None:
    channel = await make_houses(state, CITIES, 2, 5)
    munich = {"address": None, "latitude": 48.1, "longitude": 11.6}
    near = await place(state, channel, 1, {"SKU-0": 2, "SKU-1": 1}, **munich)
    assert (near["status"], await houses_of(state, near["id"])) == ("ALLOCATED", {"MUC": 3})
    berlin = await place(state, channel, 2, {"SKU-0": 1})
    assert await houses_of(state, berlin["id"]) == {"BER": 1}
    await add_stock(state, "BER", {"SKU-1": -5})
    whole = await place(state, channel, 3, {"SKU-0": 1, "SKU-1": 1})
    assert await houses_of(state, whole["id"]) == {"HAM": 2}, "one parcel from the next beats two"
    await assert_sound(state)


async def test_what_nobody_has_is_split_and_the_rest_backordered(state: State) -> None:
    channel = await make_houses(state, {"BER": CITIES["BER"], "PAR": CITIES["PAR"]}, 1, 3)
    placed = await place(state, channel, 1, {"SKU-0": 8})
    assert (placed["status"], placed["problem"]) == ("PARTLY_ALLOCATED", "SKU-0: 2 missing (8 ordered)")
    assert await houses_of(state, placed["id"]) == {"BER": 3, "PAR": 3}
    nothing = await place(state, channel, 2, {"SKU-0": 1, "NONE": 1})
    assert (nothing["status"], nothing["problem"]) == (
        "BACKORDERED",
        "SKU-0: 1 missing (1 ordered); NONE: no such SKU, 1 missing",
    )
    await assert_sound(state)


async def test_a_decision_is_kept_with_its_reasons_and_replays_the_same(state: State) -> None:
    channel = await make_houses(state, CITIES, 2, 5)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 1 WHERE code = 'BER'")
    await state.database.hot.execute("UPDATE warehouses SET status = 'CLOSED' WHERE code = 'HAM'")
    state.routing.forget()
    for number in range(3):
        await place(state, channel, number, {"SKU-0": 2, "SKU-1": 9})
    rows = await state.database.hot.fetch("SELECT * FROM routing_decisions ORDER BY id")
    assert len(rows) == 3
    for row in rows:
        inputs, outcome = orjson.loads(row["inputs"]), orjson.loads(row["outcome"])
        again = route(read_policy(inputs["policy"]), revive_problem(inputs))
        assert orjson.loads(orjson.dumps(keep_plan(again))) == outcome
        assert (row["trigger"], row["policy_version"], row["seconds"] > 0) == ("PLACED", None, True)
        removed = {one["code"]: one.get("removed") for one in outcome["steps"][0]["candidates"]}
        assert removed["HAM"] == "STATUS"
        assert inputs["precision"] == "CITY"
        assert "10115" not in row["inputs"], "an address is not kept with a decision"
    held = orjson.loads(rows[0]["inputs"])["sites"][0]["held"]
    assert list(held.values()) == [[5, 0, 1, 0.0], [5, 0, 1, 0.0]], "available, safety stock, version, weekly"
    await assert_sound(state)


async def test_a_full_day_gives_the_next_one(state: State) -> None:
    channel = await make_houses(state, {"BER": CITIES["BER"]}, 1, 50)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 2")
    state.routing.forget()
    for number in range(5):
        assert (await place(state, channel, number, {"SKU-0": 1}))["status"] == "ALLOCATED"
    days = await state.database.hot.fetch(
        "SELECT day, taken, capacity FROM warehouse_days WHERE taken > 0 ORDER BY day"
    )
    today = datetime.datetime.now(datetime.UTC).date()
    assert [tuple(row) for row in days] == [
        (today + datetime.timedelta(days=n), taken, 2) for n, taken in enumerate((2, 2, 1))
    ]
    late = await state.database.hot.fetchrow(
        "SELECT status, release_at FROM fulfillment_orders ORDER BY day DESC LIMIT 1"
    )
    assert (late[0], late[1].date()) == ("SCHEDULED", today + datetime.timedelta(days=2))
    await assert_sound(state)


async def test_days_that_fill_meanwhile_are_looked_for_anew_and_never_without_end(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the last places between looking and locking, again and again."""
    channel = await make_houses(state, {"BER": CITIES["BER"]}, 1, 50)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 1")
    state.routing.forget()
    seen: list[bool] = []
    decide = PlaceOrder.decide

    def fill_first(command: PlaceOrder, book, now):
        seen.append(command.strict)
        for key in command.days():
            book.days[key].taken = book.days[key].capacity
        return decide(command, book, now)

    monkeypatch.setattr(PlaceOrder, "decide", fill_first)
    assert (await place(state, channel, 1, {"SKU-0": 1}))["status"] == "BACKORDERED"
    assert seen == [False, False, False, True]
    monkeypatch.undo()
    assert (await place(state, channel, 2, {"SKU-0": 1}))["status"] == "ALLOCATED"


async def test_the_rest_of_an_order_joins_its_scheduled_work(state: State) -> None:
    channel = await make_houses(state, {"BER": CITIES["BER"], "PAR": CITIES["PAR"]}, 2, 3)
    placed = await place(state, channel, 1, {"SKU-0": 7, "SKU-1": 1})
    assert placed["status"] == "PARTLY_ALLOCATED"
    assert (await allocate_order(state, UUID(placed["id"])))["allocations"] == []
    await add_stock(state, "BER", {"SKU-0": 9})
    filled = await allocate_order(state, UUID(placed["id"]))
    assert (filled["status"], filled["problem"], filled["waiting"]) == ("ALLOCATED", None, 0)
    assert await state.database.hot.fetchval("SELECT count(*) FROM fulfillment_orders") == 2
    assert await houses_of(state, placed["id"]) == {"BER": 5, "PAR": 3}
    row = await state.database.hot.fetchrow("SELECT status, problem, version FROM orders")
    assert tuple(row) == ("ALLOCATED", None, 2)
    await assert_sound(state)


async def test_work_that_was_rejected_goes_elsewhere(state: State) -> None:
    channel = await make_houses(state, {"BER": CITIES["BER"], "PAR": CITIES["PAR"]}, 1, 5)
    placed = await place(state, channel, 1, {"SKU-0": 2})
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE fulfillment_orders SET status = 'REJECTED', reject_reason = 'broken'")
        await connection.execute("UPDATE fulfillment_order_lines SET cancelled = quantity")
        await connection.execute("UPDATE order_lines SET allocated = 0")
        await connection.execute("UPDATE warehouse_days SET taken = 0")
    await add_stock(state, "BER", {"SKU-0": 2})
    await state.database.hot.execute(
        "UPDATE stock_levels SET committed = 0, adjustment = adjustment + 2 WHERE committed = 2"
    )
    filled = await allocate_order(state, UUID(placed["id"]))
    assert (filled["status"], await houses_of(state, placed["id"])) == ("ALLOCATED", {"PAR": 2})
    kept = await state.database.hot.fetchval("SELECT outcome FROM routing_decisions ORDER BY id DESC LIMIT 1")
    told = {one["code"]: one.get("detail") for one in orjson.loads(kept)["steps"][0]["candidates"]}
    assert told["BER"] == "rejected it: broken"


async def test_an_unknown_order_and_a_cancelled_one(state: State) -> None:
    channel = await make_houses(state, CITIES, 1, 0)
    with pytest.raises(Refusal):
        await allocate_order(state, UUID(int=0))
    placed = await place(state, channel, 1, {"SKU-0": 1})
    await add_stock(state, "BER", {"SKU-0": 1})
    await state.database.hot.execute("UPDATE orders SET status = 'CANCELLED'")
    await state.database.hot.execute("UPDATE order_lines SET cancelled = quantity")
    assert (await allocate_order(state, UUID(placed["id"])))["allocations"] == []


async def test_a_policy_that_minds_cover_reckons_with_what_leaves_in_a_week(state: State) -> None:
    """BER is nearer, but promised nearly all it has in the last weeks; HAM has sold nothing."""
    channel = await make_houses(state, {"BER": CITIES["BER"], "HAM": CITIES["HAM"]}, 1, 20)
    for number in range(18):
        await place(state, channel, number, {"SKU-0": 1})
    document = {"name": "c", "rules": [{"name": "c", "objective": {"cover": "50", "coverWeeks": 4}}]}
    await state.database.hot.execute(
        "INSERT INTO routing_policies (status, name, document, created_by) VALUES ('ACTIVE', 'c', $1, 'test')",
        orjson.dumps(document).decode(),
    )
    state.routing.forget()
    placed = await place(state, channel, 99, {"SKU-0": 1})
    assert await houses_of(state, placed["id"]) == {"HAM": 1}
    kept = orjson.loads(
        await state.database.hot.fetchval("SELECT inputs FROM routing_decisions ORDER BY id DESC LIMIT 1")
    )
    held = {site["code"]: next(iter(site["held"].values())) for site in kept["sites"]}
    assert held["BER"] == [2, 0, 19, 4.5], "18 units in four weeks"
    assert held["HAM"][3] == 0.0
    await assert_sound(state)
