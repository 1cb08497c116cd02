"""Interleavings that are feared, injected: one of two waits for the other's locks, and the end is one legal state.

The ledger is verified at the end of every test (`company`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.fulfillment import change_work
from app.fulfillment.change_work import Ask
from app.fulfillment.ship_work import Parcel, ship_work
from app.orders import change_order
from app.orders.take_order import take_order
from app.routing.allocate_order import allocate_order
from app.stock import run_commands
from domain.errors import Refusal
from domain.identity import Principal, Role
from domain.provenance import Provenance
from tests.app.orders.world import (
    advance,
    available,
    cases,
    events_of,
    lines_of,
    order_row,
    say,
    take,
    works_of,
)
from tests.channel_company import ChannelCompany
from tests.within import within

FLOOR = Principal("floor", "floor", frozenset({Role.WAREHOUSE}))
BLOCKED = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
Work = Callable[[], Coroutine[Any, Any, Any]]


class Pause:
    """Stops the first caller of a function once it has its locks, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        original = getattr(module, name)

        async def paused(*given: Any, **named: Any) -> Any:
            found = await original(*given, **named)
            if not self.reached.is_set():
                self.reached.set()
                await self.go.wait()
            return found

        monkeypatch.setattr(module, name, paused)


async def interleave(company: ChannelCompany, pause: Pause, first: Work, second: Work) -> tuple[Any, Any]:
    """`first` holds its locks while `second` comes and waits for them. Refusals are results."""
    one = asyncio.create_task(first())
    await within(10, pause.reached.wait())
    other = asyncio.create_task(second())
    await company.wait_until(BLOCKED)
    pause.go.set()
    results = await within(20, asyncio.gather(one, other, return_exceptions=True))
    assert all(not isinstance(result, Exception) or isinstance(result, Refusal) for result in results), results
    return results[0], results[1]


def ship(company: ChannelCompany, work: dict[str, Any]) -> Work:
    ask = Ask(work["id"], Provenance("floor"))
    return lambda: ship_work(company.state, FLOOR, ask, Parcel("DHL", "T-1"))


@pytest.mark.parametrize("status", ["ACCEPTED", "PACKED"])
@pytest.mark.parametrize("winner", ["cancel", "ship"])
async def test_cancel_and_ship(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch, status: str, winner: str
) -> None:
    await take(company, say({"SKU-0": 4}, version=1))
    await advance(company, status)
    (work,) = await works_of(company)

    def cancel() -> Coroutine[Any, Any, None]:
        return take(company, say({"SKU-0": 4}, version=2, cancelled=True))

    if winner == "cancel":
        pause = Pause(monkeypatch, change_order, "lock_order")
        _, shipped = await interleave(company, pause, cancel, ship(company, work))
        refused = status == "ACCEPTED"
        assert isinstance(shipped, Refusal) is refused, "what was not begun is cancelled; what was, ships anyway"
    else:
        pause = Pause(monkeypatch, change_work, "lock_work")
        await interleave(company, pause, ship(company, work), cancel)
        refused = False
    if refused:
        assert (await order_row(company))["status"] == "CANCELLED"
        assert await lines_of(company) == {"SKU-0": (4, 0, 0, 4)}
        assert await available(company) == 20
        assert await cases(company) == []
    else:
        assert (await order_row(company))["status"] == "SHIPPED"
        assert await lines_of(company) == {"SKU-0": (4, 0, 4, 0)}
        assert await available(company) == 16
        assert await cases(company) == ["CHANGE_REFUSED"]
        assert "CANCEL_TOO_LATE" in await events_of(company)
    await cancel()
    assert len(await cases(company)) == (0 if refused else 1), "the same word again is no news"


@pytest.mark.parametrize("units", [5, 28, 0])
@pytest.mark.parametrize("winner", ["edit", "allocation"])
async def test_edit_and_allocation(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch, winner: str, units: int
) -> None:
    """Each comes while the other one holds its locks: the order's row, and of an allocation the stock rows too."""
    await take(company, say({"SKU-0": 30}, version=1))
    assert await lines_of(company) == {"SKU-0": (30, 20, 0, 0)}
    order_id = (await order_row(company))["id"]
    await company.admin.mutate("stockReceive", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 10}])

    def edit() -> Coroutine[Any, Any, None]:
        return take(company, say({"SKU-0": units or 30}, version=2, cancelled=not units))

    def allocate() -> Coroutine[Any, Any, Any]:
        return allocate_order(company.state, order_id)

    if winner == "edit":
        _, told = await interleave(company, Pause(monkeypatch, change_order, "lock_order"), edit, allocate)
        assert told["waiting"] == 0, "it saw what the edit left"
    else:
        told, _ = await interleave(company, Pause(monkeypatch, run_commands, "lock_rows"), allocate, edit)
        assert sum(one[-1] for one in told["allocations"]) == 10, "it did not know of the edit"
    assert await lines_of(company) == {"SKU-0": (30, units, 0, 30 - units)}
    assert await available(company) == 30 - units
    assert (await order_row(company))["status"] == ("ALLOCATED" if units else "CANCELLED")
    bound = Counter(work["status"] for work in await works_of(company))
    assert (bound["SCHEDULED"] > 0) == (units > 0)


@pytest.mark.parametrize("seed", range(6))
async def test_duplicated_and_reordered_words_end_in_the_last_one(company: ChannelCompany, seed: int) -> None:
    """Four workers hear ten words of an order, each several times, in any order."""
    dice = random.Random(seed)
    words = [
        say({f"SKU-{n}": units for n in range(3) if (units := dice.randint(0, 9))}, version=version)
        for version in range(1, 11)
    ]
    words[-1] = say({"SKU-0": 3, "SKU-2": 7}, version=10)
    heard = [word for word in words if word.lines] * 3
    dice.shuffle(heard)
    channel = await company.channel("shop")

    async def worker(number: int) -> None:
        for word in heard[number::4]:
            await asyncio.sleep(dice.random() * 0.01)
            await take_order(company.state, channel.id, word)

    await within(60, asyncio.gather(*(worker(number) for number in range(4))))
    lines = await lines_of(company)
    kept = {sku: quantity - cancelled for sku, (quantity, _, _, cancelled) in lines.items() if quantity > cancelled}
    assert kept == {"SKU-0": 3, "SKU-2": 7}, f"seed {seed}"
    row = await order_row(company)
    assert (row["status"], row["channel_version"]) == ("ALLOCATED", 10)
    assert [await available(company, f"SKU-{n}") for n in range(3)] == [17, 20, 13]


@pytest.mark.parametrize("seed", range(3))
async def test_a_cancellation_among_reordered_words_is_for_good(company: ChannelCompany, seed: int) -> None:
    dice = random.Random(seed)
    words = [say({"SKU-0": units}, version=version) for version, units in enumerate((4, 6, 2), start=1)]
    heard = [*words * 2, *[say({"SKU-0": 2}, version=4, cancelled=True)] * 2]
    dice.shuffle(heard)
    await within(30, asyncio.gather(*(take(company, word) for word in heard)))
    assert (await order_row(company))["status"] == "CANCELLED"
    assert await available(company) == 20
    assert await cases(company) == []


async def test_the_same_new_order_heard_eight_times_at_once_is_one(company: ChannelCompany) -> None:
    await within(30, asyncio.gather(*(take(company, say({"SKU-0": 2}, version=1)) for _ in range(8))))
    assert await company.value("SELECT count(*) FROM orders") == 1
    assert await available(company) == 18
    assert Counter(await events_of(company)) == {"PLACED": 1}


async def test_cancels_of_people_and_of_the_channel_at_once(company: ChannelCompany) -> None:
    """Each takes what is left, and nothing is given back twice."""
    await take(company, say({"SKU-0": 6}, version=1))
    order = (await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }'))["order"]
    cancel = company.admin.mutate("orderCancel", "order { status }", id=order["id"])
    await asyncio.gather(cancel, take(company, say({"SKU-0": 6}, version=2, cancelled=True)))
    assert await lines_of(company) == {"SKU-0": (6, 0, 0, 6)}
    assert await available(company) == 20
