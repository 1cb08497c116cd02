"""What the demo's logistics partner does by itself: it takes work on and ships it, by the API that partners have.

Its token sees its own warehouse alone. Now and then it turns something down, and it agrees to every cancellation.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from app.demo.work_floor import REJECT_CHANCE, WORKED_MAX, Ask, read_queue, take_step

STATES = ("RELEASED", "ACCEPTED", "PARTLY_SHIPPED")
CARRIERS = ("UPS", "FedEx", "USPS")


async def work_partner(ask: Ask, dice: random.Random) -> int:
    """One step each for its oldest work; returns how many. Raises whatever `ask` raises."""
    works = await read_queue(ask, {"statuses": list(STATES)})
    for work in works[:WORKED_MAX]:
        await take_step(ask, work["id"], *choose_partner_step(work, dice))
    return min(len(works), WORKED_MAX)


def choose_partner_step(work: Mapping[str, Any], dice: random.Random) -> tuple[str, dict[str, Any]]:
    """What comes next, and with what. Rejecting also agrees to a cancellation."""
    if work["cancelRequestedAt"] is not None:
        return "Reject", {"reason": "CANNOT_SHIP"}
    if work["status"] == "RELEASED":
        turned_down = dice.random() < REJECT_CHANCE
        return ("Reject", {"reason": "NO_CAPACITY"}) if turned_down else ("Accept", {})
    return "Ship", {"carrier": dice.choice(CARRIERS), "trackingNumber": f"HL{dice.randrange(10**12):012}"}
