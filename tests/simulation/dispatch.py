"""The dock of the chaos: parcels that leave while their buyers change their minds, and the work that is given up.

What has left is known here from the dock's own hands: the answer says what was in the parcel.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.market import Market, Placed

FIND = """
query($channel: String!, $order: String!) {
  order(channel: $channel, externalId: $order) { fulfillmentOrders { id status } }
}
"""
ASKED = """
query { fulfillmentOrders(filter: { statuses: [ACCEPTED, PICKING, PICKED, PACKED, PARTLY_SHIPPED] }, first: 250) {
  nodes { id version cancelRequestedAt }
} }
"""
STEP = """
mutation($input: FulfillmentOrder%(verb)sInput!) {
  fulfillmentOrder%(verb)s(input: $input) { userErrors { code } %(answer)s }
}
"""
ANSWERS = {"Ship": "fulfillmentOrder { warehouse } fulfillment { lines { sku quantity } }"}


@dataclass(frozen=True, slots=True)
class Parcels:
    """Of one order: as many as the dock made, its marketplace shows, took as Onhand says, and refused as Onhand says.

    `late`: its buyer changed his mind after units had left.
    """

    made: int
    shown: int
    confirmed: int
    refused: int
    late: bool


def compare_parcels(orders: Mapping[tuple[str, str], Parcels]) -> list[str]:
    """Each was told once, or refused because its buyer wanted it no more; what differs, in words."""
    problems = []
    for (channel, order), one in orders.items():
        if one.shown != one.confirmed:
            problems.append(
                f"{channel} order {order}: {one.confirmed} parcels confirmed, {one.shown} at the marketplace"
            )
        if one.made != one.confirmed + one.refused:
            problems.append(f"{channel} order {order}: {one.made} parcels made, {one.confirmed + one.refused} told")
        if one.refused and not one.late:
            problems.append(f"{channel} order {order}: a parcel refused that its buyer wanted")
    return problems


@dataclass(slots=True)
class Dispatch:
    """`ask`: sends a document until it is answered. `left`: units in parcels, by (warehouse, SKU), and by
    (channel, order, SKU) as `gone`; `parcels`: by (channel, order).
    """

    ask: Callable[[str, Any], Awaitable[Any]]
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    gone: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    parcels: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def ship(self, market: Market, placed: Placed, chance: random.Random, key: str) -> int:
        """Units that left: every work of the order is taken on, now and then gone for, and shipped some time later."""
        before = sum(self.left.values())
        found = (await self.ask(FIND, {"channel": market.code, "order": placed.id}))["order"]
        for number, work in enumerate(found["fulfillmentOrders"] if found else ()):
            steps = ("Accept", "StartPicking") if chance.random() < 0.6 else ("Accept",)
            if work["status"] == "RELEASED":
                for verb in steps:
                    await self._step(work["id"], verb, f"{key}-{number}")
                    await asyncio.sleep(chance.uniform(0, 1))
                await self._leave(market, placed, work["id"], f"{key}-{number}")
        return sum(self.left.values()) - before

    async def _leave(self, market: Market, placed: Placed, work: str, key: str) -> None:
        made = await self._step(work, "Ship", key, carrier="DHL", trackingNumber=key)
        if made["fulfillment"] is None:
            return
        self.parcels[market.code, placed.id] += 1
        for line in made["fulfillment"]["lines"]:
            self.left[made["fulfillmentOrder"]["warehouse"], line["sku"]] += line["quantity"]
            self.gone[market.code, placed.id, line["sku"]] += line["quantity"]

    async def give_up(self) -> int:
        """Works given up: whatever was asked to be cancelled, and has not left."""
        given = 0
        for work in (await self.ask(ASKED, {}))["fulfillmentOrders"]["nodes"]:
            if work["cancelRequestedAt"] is not None:
                made = await self._step(work["id"], "Cancel", f"give-up-{work['version']}")
                given += made["userErrors"] == []
        return given

    async def _step(self, work: str, verb: str, key: str, **fields: Any) -> Any:
        document = STEP % {"verb": verb, "answer": ANSWERS.get(verb, "")}
        asked = {"id": work, "idempotencyKey": f"{key}-{verb}-{work}"[-100:], **fields}
        return (await self.ask(document, {"input": asked}))[f"fulfillmentOrder{verb}"]
