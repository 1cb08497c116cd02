"""What the demo's warehouses do by themselves: accept, pick, pack and ship, as tablets do, through the public API.

One warehouse is left to whoever tries the demo. Now and then something is not there, or is turned down, so that a
newcomer sees what becomes of it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from app.demo.company import WAREHOUSES

YOURS = "LYO-1"
"""Its work waits for a newcomer; what nobody takes on in time is promised from elsewhere."""
BUSY = tuple(house.code for house in WAREHOUSES if house.code != YOURS and house.kind == "OWN")
STATES = ("RELEASED", "ACCEPTED", "PICKING", "PICKED", "PACKED", "PARTLY_SHIPPED")
WORKED_MAX = 12
"""Steps at one time."""
SHORT_CHANCE, REJECT_CHANCE = 0.01, 0.01
CARRIERS = ("DHL", "UPS", "FedEx")
_QUEUE = """
query Queue($filter: FulfillmentOrderFilter!, $first: Int!) {
  fulfillmentOrders(filter: $filter, first: $first) {
    nodes { id status holdReason cancelRequestedAt lines { sku quantity picked shipped cancelled short } }
  }
}
"""
_STEP = """
mutation Step($input: {verb}Input!) {{ made: {field}(input: $input) {{ userErrors {{ code message }} }} }}
"""
Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


async def work_floor(ask: Ask, dice: random.Random) -> int:
    """One step each for the oldest work of one warehouse; returns how many. Raises whatever `ask` raises."""
    chosen = {"warehouses": [dice.choice(BUSY)], "statuses": list(STATES)}
    free = await read_queue(ask, chosen)
    for work in free[:WORKED_MAX]:
        await take_step(ask, work["id"], *choose_step(work, dice))
    return min(len(free), WORKED_MAX)


async def read_queue(ask: Ask, chosen: Mapping[str, Any]) -> list[Any]:
    """The oldest work that is chosen and not held."""
    found = await ask(_QUEUE, {"filter": chosen, "first": WORKED_MAX * 2})
    return [work for work in found["fulfillmentOrders"]["nodes"] if work["holdReason"] is None]


async def take_step(ask: Ask, work_id: str, verb: str, fields: Mapping[str, Any]) -> None:
    field = f"fulfillmentOrder{verb}"
    step = _STEP.format(verb=field[0].upper() + field[1:], field=field)
    await ask(step, {"input": {"id": work_id, **fields}})


def choose_step(work: Mapping[str, Any], dice: random.Random) -> tuple[str, dict[str, Any]]:
    """What comes next for a fulfilment order, and with what; a refusal by then is as good."""
    if work["cancelRequestedAt"] is not None:
        return "Cancel", {}
    match work["status"]:
        case "RELEASED":
            turned_down = dice.random() < REJECT_CHANCE
            return ("Reject", {"reason": "NO_CAPACITY"}) if turned_down else ("Accept", {})
        case "ACCEPTED" | "PARTLY_SHIPPED":
            return "StartPicking", {}
        case "PICKING":
            return "Pick", {"lines": _pick(work["lines"], dice)}
        case "PICKED":
            return "Pack", {}
    number = f"{dice.randrange(10**12):012}"
    return "Ship", {"carrier": dice.choice(CARRIERS), "trackingNumber": f"LM{number}"}


def _pick(lines: Sequence[Mapping[str, Any]], dice: random.Random) -> list[dict[str, Any]]:
    """All that is left, of which a unit may be missing."""
    picks = []
    for line in lines:
        left = line["quantity"] - line["cancelled"] - line["short"] - line["picked"]
        if left > 0:
            short = int(dice.random() < SHORT_CHANCE)
            picks.append({"sku": line["sku"], "quantity": left - short, "short": short})
    return picks
