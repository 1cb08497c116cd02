"""The backlog as a whole: what one order after the other could not see, planned by HiGHS, applied whole or not at all."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.kits.expand_kits import expand_kits
from app.kits.set_kit import set_kit
from app.orders.place_order import place_order
from app.routing.apply_backlog import apply_backlog, read_moves
from app.routing.plan_backlog import plan_backlog
from app.routing.read_decisions import read_decisions, replay
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal, Role
from domain.kits import Component
from domain.provenance import Provenance
from tests.app.routing.world import CITIES, assert_sound, houses_of, make_houses, make_order, place, scatter
from tests.seed import TESTER, add_stock

WHO = Provenance("tester")


async def apply(state: State, plan: Any) -> Any:
    return await apply_backlog(state, TESTER, plan, WHO, None)


async def explained(state: State, order_id: Any) -> Any:
    """The newest decision on an order, which says the same when it is tried again."""
    found = (await read_decisions(state.database, TESTER, order_id, 1))[0]
    assert replay(found) is True
    return found


async def test_two_orders_change_places_when_that_is_cheaper_for_both(state: State) -> None:
    """Each had the other's nearest warehouse, full or empty when it came: one order at a time can never mend that."""
    channel = await make_houses(state, {"BER": CITIES["BER"], "ROM": CITIES["ROM"]}, 1, 0)
    rome = {"address": None, "latitude": 41.9, "longitude": 12.5}
    await add_stock(state, "BER", {"SKU-0": 1})
    southern = await place(state, channel, 1, {"SKU-0": 1}, **rome)
    await add_stock(state, "ROM", {"SKU-0": 1})
    northern = await place(state, channel, 2, {"SKU-0": 1})
    assert (await houses_of(state, southern["id"]), await houses_of(state, northern["id"])) == ({"BER": 1}, {"ROM": 1})
    plan = await plan_backlog(state, TESTER, 50)
    assert (plan["orders"], plan["left_out"], plan["optimal"], len(plan["moves"])) == (2, 0, True, 2)
    assert plan["after"] < plan["before"]
    assert plan["before"] - plan["after"] == sum(move["saves"] for move in plan["moves"])
    assert await houses_of(state, southern["id"]) == {"BER": 1}, "a plan changes nothing"
    assert await apply(state, plan) == {"moved": 2}
    assert (await houses_of(state, southern["id"]), await houses_of(state, northern["id"])) == ({"ROM": 1}, {"BER": 1})
    assert (await plan_backlog(state, TESTER, 50))["moves"] == []
    await assert_sound(state)
    found = await explained(state, southern["id"])
    assert (found["trigger"], found["solver"], found["inputs"]["batch"]["orders"]) == ("REOPTIMIZED", "BATCH", 2)
    (step,) = found["outcome"]["steps"]
    assert [(one["code"], one.get("removed")) for one in step["candidates"]] == [("ROM", None), ("BER", "STOCK")]
    assert 0 < found["outcome"]["cost"] < found["inputs"]["batch"]["before"]
    moves = {move["order"]: move["saves"] for move in plan["moves"]}
    assert found["inputs"]["batch"]["before"] - found["outcome"]["cost"] == moves[str(southern["id"])]
    documents = await state.database.hot.fetch(
        "SELECT DISTINCT document FROM stock_movements WHERE reference = 'routingReoptimize'"
    )
    assert {row[0] for row in documents} == {f"order:{southern['id']}", f"order:{northern['id']}"}


async def test_days_with_a_limit_are_shared_and_given_back(state: State) -> None:
    channel = await make_houses(state, {"BER": CITIES["BER"], "HAM": CITIES["HAM"]}, 1, 0)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 1 WHERE code = 'BER'")
    state.routing.forget()
    await add_stock(state, "HAM", {"SKU-0": 9})
    placed = [await place(state, channel, n, {"SKU-0": 1}) for n in range(3)]
    assert [await houses_of(state, one["id"]) for one in placed] == [{"HAM": 1}] * 3
    await add_stock(state, "BER", {"SKU-0": 9})
    plan = await plan_backlog(state, TESTER, 50)
    assert len(plan["moves"]) >= 1
    await apply(state, plan)
    days = await state.database.hot.fetch("SELECT capacity, taken FROM warehouse_days WHERE capacity IS NOT NULL")
    assert all(row["taken"] <= row["capacity"] for row in days)
    assert sum(row["taken"] for row in days) == len(plan["moves"])
    await assert_sound(state)


async def test_a_plan_that_is_out_of_date_moves_nothing(state: State) -> None:
    channel = await make_houses(state, CITIES, 1, 0)
    await add_stock(state, "ROM", {"SKU-0": 2})
    placed = [await place(state, channel, n, {"SKU-0": 1}) for n in range(2)]
    await add_stock(state, "BER", {"SKU-0": 2})
    plan = await plan_backlog(state, TESTER, 50)
    assert len(plan["moves"]) == 2
    await add_stock(state, "BER", {"SKU-0": -1})
    with pytest.raises(Refusal) as refused:
        await apply(state, plan)
    assert refused.value.code is RefusalCode.INSUFFICIENT_STOCK
    assert [await houses_of(state, one["id"]) for one in placed] == [{"ROM": 1}] * 2
    await add_stock(state, "BER", {"SKU-0": 1})
    await state.database.hot.execute(
        "UPDATE fulfillment_orders SET status = 'RELEASED', version = version + 1 WHERE order_id = $1", placed[0]["id"]
    )
    with pytest.raises(Refusal) as refused:
        await apply(state, plan)
    assert refused.value.code is RefusalCode.STALE_VERSION
    await assert_sound(state)


@pytest.mark.parametrize(
    "change",
    [
        lambda move: move | {"parcels": []},
        lambda move: move | {"parcels": [one | {"units": {"0": 0}} for one in move["parcels"]]},
        lambda move: move | {"parcels": [one | {"units": {"0": 2}} for one in move["parcels"]]},
        lambda move: move | {"parcels": [one | {"warehouse": 999} for one in move["parcels"]]},
        lambda move: move | {"parcels": [one | {"day": "1999-01-01"} for one in move["parcels"]]},
        lambda move: move | {"works": []},
        lambda move: move | {"order": "x"},
        lambda move: None,
    ],
)
async def test_a_plan_of_somebody_elses_making_moves_nothing(state: State, change) -> None:
    channel = await make_houses(state, CITIES, 1, 0)
    await add_stock(state, "ROM", {"SKU-0": 2})
    placed = await place(state, channel, 1, {"SKU-0": 1})
    await add_stock(state, "BER", {"SKU-0": 9})
    plan = await plan_backlog(state, TESTER, 50)
    with pytest.raises(Refusal):
        await apply(state, {"moves": [change(plan["moves"][0])]})
    assert await houses_of(state, placed["id"]) == {"ROM": 1}
    await assert_sound(state)


async def test_a_backlog_of_many_orders_gets_cheaper_and_stays_sound(state: State) -> None:
    """Stock arrives where it was missing after sixty orders were placed."""
    chance = random.Random(4)
    houses = scatter(6)
    channel = await make_houses(state, houses, 3, 0)
    await add_stock(state, "W00", {f"SKU-{n}": 200 for n in range(3)})
    for number in range(60):
        goal = {"address": None, "latitude": chance.uniform(42, 56), "longitude": chance.uniform(0, 20)}
        await place(
            state, channel, number, {f"SKU-{n}": chance.randint(1, 3) for n in chance.sample(range(3), 2)}, **goal
        )
    for code in list(houses)[1:]:
        await add_stock(state, code, {f"SKU-{n}": 25 for n in range(3)})
    plan = await plan_backlog(state, TESTER, 200)
    assert (plan["orders"], plan["left_out"]) == (60, 0)
    assert plan["after"] < 0.9 * plan["before"]
    assert (await apply(state, plan))["moved"] == len(plan["moves"]) > 20
    await assert_sound(state)
    for move in plan["moves"]:
        found = await explained(state, UUID(move["order"]))
        assert found["inputs"]["batch"]["before"] - found["outcome"]["cost"] == pytest.approx(move["saves"], abs=10)


async def test_kits_move_whole(state: State) -> None:
    """Kits are nearer now, and a loose unit of a part with them; a plan that tears a kit is refused."""
    channel = await make_houses(state, {"BER": CITIES["BER"], "ROM": CITIES["ROM"]}, 3, 0)
    await set_kit(state, "SKU-2", [Component("SKU-0", 1), Component("SKU-1", 2)], None)
    await add_stock(state, "ROM", {"SKU-0": 9, "SKU-1": 9})
    order = await expand_kits(state, channel, make_order(1, {"SKU-2": 2, "SKU-1": 1}))
    placed = await place_order(state, channel, order)
    assert await houses_of(state, placed["id"]) == {"ROM": 7}
    await add_stock(state, "BER", {"SKU-0": 2, "SKU-1": 4})
    plan = await plan_backlog(state, TESTER, 50)
    assert (plan["left_out"], plan["moves"]) == (0, []), "the loose unit is missing there, and two parcels cost more"
    await add_stock(state, "BER", {"SKU-1": 1})
    plan = await plan_backlog(state, TESTER, 50)
    (move,) = plan["moves"]
    torn = [
        {**move["parcels"][0], "warehouse": house, "units": units}
        for house, units in zip(move["candidates"], split(move["parcels"][0]["units"]), strict=True)
    ]
    with pytest.raises(Refusal) as refused:
        await apply(state, {"moves": [{**move, "parcels": torn}]})
    assert refused.value.code is RefusalCode.INVALID_QUANTITY
    await apply(state, plan)
    assert await houses_of(state, placed["id"]) == {"BER": 7}
    assert len((await explained(state, placed["id"]))["outcome"]["parcels"]) == 1
    await assert_sound(state)


def split(units: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """The first line by itself, and the others."""
    first = min(units)
    return {first: units[first]}, {line: count for line, count in units.items() if line != first}


async def test_limits_and_limited_tokens(state: State) -> None:
    channel = await make_houses(state, CITIES, 1, 1)
    assert (await plan_backlog(state, TESTER, 1))["moves"] == []
    for limit in (0, 201):
        with pytest.raises(Refusal):
            await plan_backlog(state, TESTER, limit)
    limited = replace(Principal("p", "p", frozenset({Role.OPERATIONS})), channel_ids=frozenset({channel}))
    with pytest.raises(Refusal) as refused:
        await plan_backlog(state, limited, 1)
    assert refused.value.code is RefusalCode.NOT_ALLOWED
    plans: tuple[Any, ...] = (None, [], {}, {"moves": []}, {"moves": [{}]})
    for broken in plans:
        with pytest.raises(Refusal):
            read_moves(broken)
