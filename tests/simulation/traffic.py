"""The traffic of the chaos: what buyers, companies, the dock, and support do, and the people who work the cases.

Whatever happens to the orders, what was put into a house and has not left in a parcel is what is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from app.state import State
from domain.errors import Refusal
from tests.instance import Running
from tests.seed import add_stock
from tests.simulation.dispatch import Dispatch
from tests.simulation.market import Market, Placed

WAREHOUSES = ("SIM-A", "SIM-B")
SALES_PER_SECOND = 6.0
CANCELS_PER_SECOND = 0.6
"""By buyers of one marketplace, and by support of all."""
PARCELS_PER_SECOND = 3.0
HANDS = 6
"""How many parcels are made at the same time."""
TRIES = 20
"""Of a request that was not answered: its key makes sure that it is done once."""
RESERVE = """
mutation($input: ReservationCreateInput!) {
  reservationCreate(input: $input) { reservation { id } userErrors { code } }
}
"""
FIND = """
query($channel: String!, $order: String!) {
  order(channel: $channel, externalId: $order) { id lines { externalId } }
}
"""
CANCEL = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { order { id } userErrors { code } } }"
BY_HAND = """
SELECT DISTINCT c.code, o.external_id FROM exception_cases e JOIN orders o ON e.subject = 'order:' || o.id
JOIN channels c ON c.id = o.channel_id WHERE e.kind = 'CANCELLATION_REFUSED' AND e.state <> 'RESOLVED'
"""


@dataclass(slots=True)
class Traffic:
    """`put_in`: units by (warehouse, SKU); `reserved`: by SKU; `placed`: each marketplace's orders, by kind."""

    seed: int
    instance: Running
    state: State
    markets: list[Market]
    skus: list[str]
    put_in: Counter[tuple[str, str]] = field(default_factory=Counter)
    reserved: Counter[str] = field(default_factory=Counter)
    placed: dict[str, list[Placed]] = field(default_factory=lambda: defaultdict(list))
    done: Counter[str] = field(default_factory=Counter)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    dispatch: Dispatch = field(init=False)

    def __post_init__(self) -> None:
        self.dispatch = Dispatch(self._ask)

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        there = [loop(market) for market in self.markets for loop in (self._buy, self._take_back)]
        packing = [self._ship(number) for number in range(HANDS)]
        return [*there, *packing, self._reserve(), self._move_stock(), self._cancel_here(), self._work_cases()]

    async def at_times(self, draw_gap: Callable[[], float]) -> AsyncIterator[int]:
        """The same moments for the same seed, however long what happens at them takes; late ones follow at once."""
        started, number, due = time.monotonic(), 0, 0.0
        while not self.ending.is_set():
            due += draw_gap()
            await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            yield number
            number += 1

    async def _buy(self, market: Market) -> None:
        chance = random.Random(f"{self.seed}{market.kind}")
        async for _ in self.at_times(lambda: chance.expovariate(SALES_PER_SECOND)):
            sku = self.skus[min(int(chance.expovariate(0.15)), len(self.skus) - 1)]
            quantity = chance.choice((1, 1, 1, 2))
            with contextlib.suppress(httpx.HTTPError):
                order = await market.buy(sku, quantity)
                if order is not None:
                    self.placed[market.kind].append(Placed(order, sku, quantity))
                    self.done[f"sold {market.kind}"] += 1

    async def _take_back(self, market: Market) -> None:
        """Buyers who change their minds: most often about what they bought just now."""
        chance = random.Random(f"{self.seed}{market.kind}back")
        async for _ in self.at_times(lambda: chance.expovariate(CANCELS_PER_SECOND)):
            placed = _choose_recent(self.placed[market.kind], chance, back=5)
            with contextlib.suppress(httpx.HTTPError):
                if placed is not None and await market.take_back(placed, chance):
                    self.done[f"taken back {market.kind}"] += 1

    async def _reserve(self) -> None:
        """Companies that buy directly: nothing is reserved that is not there, so they never oversell."""
        chance = random.Random(f"{self.seed}direct")
        async for number in self.at_times(lambda: chance.expovariate(SALES_PER_SECOND / 2)):
            sku = chance.choice(self.skus)
            asked = {"lines": [{"sku": sku, "quantity": 1}], "expiresInSeconds": 86_400}
            answer = await self._ask(RESERVE, {"input": {**asked, "idempotencyKey": f"direct-{number}"}})
            if answer["reservationCreate"]["reservation"] is not None:
                self.reserved[sku] += 1
                self.done["sold direct"] += 1

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The same again until it is answered, as a client does that has a key. Raises AssertionError."""
        for _ in range(TRIES):
            with contextlib.suppress(httpx.HTTPError):
                answer = await self.markets[0].http.post(
                    self.instance.graphql,
                    json={"query": query, "variables": variables},
                    headers={"Authorization": f"Bearer {self.instance.token}"},
                    timeout=30,
                )
                if answer.is_success and "errors" not in answer.json():
                    return answer.json()["data"]
            await asyncio.sleep(0.5)
        raise AssertionError(f"seed {self.seed}: no answer to {query} {variables}")

    async def _move_stock(self) -> None:
        chance = random.Random(f"{self.seed}stock")
        async for _ in self.at_times(lambda: chance.expovariate(5)):
            sku, house = chance.choice(self.skus), chance.choice(WAREHOUSES)
            change = chance.choice((-3, -1, 2, 4, 8))
            with contextlib.suppress(Refusal, asyncpg.PostgresError, OSError):
                await self.move(house, sku, change)

    async def move(self, house: str, sku: str, change: int) -> None:
        await add_stock(self.state, house, {sku: change})
        self.put_in[house, sku] += change

    async def _ship(self, hand: int) -> None:
        """Most often what was ordered a while ago."""
        chance = random.Random(f"{self.seed}dock{hand}")
        async for number in self.at_times(lambda: chance.expovariate(PARCELS_PER_SECOND / HANDS)):
            market = chance.choice(self.markets)
            placed = _choose_recent(self.placed[market.kind], chance, back=20)
            if placed is not None and await self.dispatch.ship(market, placed, chance, f"dock-{hand}-{number}"):
                self.done[f"shipped {market.kind}"] += 1

    async def _cancel_here(self) -> None:
        """Support cancels what is on record; some units of it at a store, where it may be told."""
        chance = random.Random(f"{self.seed}support")
        async for number in self.at_times(lambda: chance.expovariate(CANCELS_PER_SECOND)):
            market, some = chance.choice(self.markets), chance.random() < 0.5
            placed = _choose_recent(self.placed[market.kind], chance, back=40)
            if placed is not None and await self.cancel(market, placed, some, f"support-{number}"):
                self.done[f"cancelled here {market.kind}"] += 1

    async def cancel(self, market: Market, placed: Placed, some: bool, key: str) -> bool:
        """`orderCancel`: `some`: one unit, where the marketplace can be told of that."""
        known = (await self._ask(FIND, {"channel": market.code, "order": placed.id}))["order"]
        if known is None or not known["lines"]:
            return False
        asked = {"id": known["id"], "idempotencyKey": key}
        if some and market.edits:
            asked["lines"] = [{"line": known["lines"][0]["externalId"], "quantity": 1}]
        return (await self._ask(CANCEL, {"input": asked}))["orderCancel"]["order"] is not None

    async def _work_cases(self) -> None:
        while not self.ending.is_set():
            await self.work_cases()
            await asyncio.sleep(1.0)

    async def work_cases(self) -> None:
        """What a marketplace cannot be told, a person does there by hand; what is not to leave, the dock puts back."""
        self.done["given up"] += await self.dispatch.give_up()
        rows = await self.state.database.hot.fetch(BY_HAND)
        for market in self.markets:
            for row in rows:
                with contextlib.suppress(httpx.HTTPError):
                    if row["code"] == market.code and await market.cancel(row["external_id"]):
                        self.done[f"by hand {market.kind}"] += 1


def _choose_recent(placed: list[Placed], chance: random.Random, *, back: float) -> Placed | None:
    """So many before the last one, on average. The draw is made in any case, so that the same seed draws the same."""
    before = int(chance.expovariate(1 / back))
    return placed[max(0, len(placed) - 1 - before)] if placed else None
