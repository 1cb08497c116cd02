"""Cancel and ship at once, each interleaving injected: one legal state, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.fulfillment import ship_work as shipping
from app.orders import change_order as changing
from tests.floor import Floor

Step = Callable[..., Awaitable[Any]]


class Gate:
    """Holds one side inside its transaction until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    def before(self, step: Step) -> Step:
        async def held(*given: Any, **named: Any) -> Any:
            self.reached.set()
            await self.open.wait()
            return await step(*given, **named)

        return held


async def accepted(floor: Floor, units: int = 3) -> tuple[Any, str]:
    order = await floor.order({"SKU-0": units})
    work = await floor.release_of(order)
    await floor.do("Accept", work)
    return order, work


async def try_shipping(floor: Floor, work: str) -> str:
    made = await floor.admin.mutate(
        "fulfillmentOrderShip", "fulfillmentOrder { status }", id=work, carrier="DHL", trackingNumber="T"
    )
    return str(made["userErrors"][0]["code"]) if made["userErrors"] else "SHIPPED"


@pytest.mark.parametrize("step", ["move_units", "set_lines", "count_shipped", "_write_parcel"])
async def test_shipping_that_has_begun_wins(floor: Floor, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    order, work = await accepted(floor)
    gate = Gate()
    monkeypatch.setattr(shipping, step, gate.before(getattr(shipping, step)))
    ship = asyncio.create_task(try_shipping(floor, work))
    await gate.reached.wait()
    cancel = asyncio.create_task(floor.cancel())
    await asyncio.sleep(0.2)
    gate.open.set()
    assert await ship == "SHIPPED"
    await cancel
    assert await floor.status(order) == "SHIPPED"
    assert (await floor.level("SKU-0", await floor.house_of(work)))["customer"] == 3
    late = await floor.company.value(
        "SELECT count(*) FROM exception_cases WHERE kind = 'CHANGE_REFUSED' OR kind = 'ORDER_PROBLEM'"
    )
    assert late == 1


@pytest.mark.parametrize("step", ["change_lines", "write_state"])
async def test_cancelling_that_has_begun_wins(floor: Floor, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    order, work = await accepted(floor)
    gate = Gate()
    monkeypatch.setattr(changing, step, gate.before(getattr(changing, step)))
    cancel = asyncio.create_task(floor.cancel())
    await gate.reached.wait()
    ship = asyncio.create_task(try_shipping(floor, work))
    await asyncio.sleep(0.2)
    gate.open.set()
    await cancel
    assert await ship == "WRONG_STATE"
    assert await floor.status(order) == "CANCELLED"
    level = await floor.level("SKU-0", await floor.house_of(work))
    assert (level["available"], level["committed"], level["customer"]) == (10, 0, 0)


@pytest.mark.parametrize("answer", ["Ship", "Cancel", "Reject"])
async def test_a_warehouse_that_has_begun_is_asked_and_answers(floor: Floor, answer: str) -> None:
    order, work = await accepted(floor)
    await floor.do("StartPicking", work)
    await floor.cancel()
    assert await floor.status(order) == "ALLOCATED"
    (asked,) = (
        await floor.admin.data(
            "query($id: ID!) { node(id: $id) { ... on FulfillmentOrder { cancelRequestedAt lines { cancelRequested } } } }",
            id=work,
        )
    )["node"]["lines"]
    assert asked["cancelRequested"] == 3
    if answer == "Ship":
        await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 3}])
        await floor.ship(work)
        assert await floor.status(order) == "SHIPPED"
        told = await floor.company.value("SELECT count(*) FROM order_events WHERE action = 'CANCEL_TOO_LATE'")
        assert told == 1
        assert len(await floor.cases()) == 1
    else:
        fields: dict[str, Any] = {"reason": "OTHER"} if answer == "Reject" else {}
        await floor.do(answer, work, **fields)
        assert await floor.status(order) == "CANCELLED"
        assert await floor.company.value("SELECT reroute_at FROM orders") is None
        assert (await floor.level("SKU-0", await floor.house_of(work)))["available"] == 10


async def test_what_nobody_asked_for_is_not_cancelled(floor: Floor) -> None:
    _, work = await accepted(floor)
    assert await floor.refused("Cancel", work) == ("WRONG_STATE", ["id"])


async def test_whatever_comes_first_there_is_one_end(floor: Floor) -> None:
    """Many at once: ship, cancel, reject, move, hold; the audit at the end finds what was lost."""
    works = []
    for number in range(8):
        order = await floor.order({"SKU-0": 1, "SKU-1": 1}, name=str(number))
        await floor.release_of(order)
        works.append(await floor.work_of(order))
        await floor.do("Accept", works[-1])

    async def act(number: int, work: str) -> None:
        other = "NYC" if await floor.house_of(work) == "BER" else "BER"
        await asyncio.gather(
            try_shipping(floor, work),
            floor.cancel(name=str(number)),
            floor.admin.mutate("fulfillmentOrderReject", "", id=work, reason="OTHER"),
            floor.admin.mutate("fulfillmentOrderMove", "", id=work, warehouse=other),
        )

    await asyncio.gather(*(act(number, work) for number, work in enumerate(works)))
    ended = await floor.state.database.hot.fetch("SELECT status FROM orders")
    assert {row["status"] for row in ended} <= {"SHIPPED", "CANCELLED"}
