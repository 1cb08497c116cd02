"""What the simulator reckons with when a shelf is counted before all tablets have told what they did."""

from __future__ import annotations

import itertools
import random

import httpx
import pytest

from tests.company import Client
from tests.simulation.week.tablet import Act, Aisle, Tablet, Tally
from tests.simulation.week.truth import SUPPLIER, Effect, Move, Picked, Place, Truth, shelf, truck
from tests.simulation.week.untold import change_shelf

SKU, LINES = "SKU-0", [{"sku": "SKU-0", "quantity": 2}]


def effects(units: int) -> list[Effect]:
    return [Effect("BER", "sound", SKU, units)]


ORDER = (
    Act("fulfillmentOrderPick", {"id": "w", "lines": LINES}),
    Act("fulfillmentOrderShip", {"id": "w"}, (), effects(-2)),
)
TRANSFER = (
    Act("transferPick", {"id": "t", "lines": LINES}),
    Act("transferShip", {"id": "t"}, [Move(SKU, Place("table", "t"), truck("t"), 2)], effects(-2)),
)


@pytest.mark.parametrize(("pick", "departure"), [ORDER, TRANSFER])
def test_what_is_picked_and_left_without_network_is_missing_once_whatever_was_told_first(
    pick: Act, departure: Act
) -> None:
    assert change_shelf([pick, departure], "BER", SKU) == -2
    assert change_shelf([departure], "BER", SKU) == 0  # its pick is told: the books have it on the table
    assert change_shelf([pick], "BER", SKU) == 0  # told to have left, it was picked
    assert change_shelf([pick, departure], "BER", "SKU-1") == 0


def test_a_transfer_picked_without_network_from_a_wrong_shelf_looks_right_and_is_not() -> None:
    """Eleven stand there and the books have ten: one is taken, and whoever counts ten finds what the books say."""
    truth, turns = Truth(), itertools.count()
    truth.move([Move(SKU, SUPPLIER, shelf("BER"), 11)])
    truth.falsify("BER", "sound", SKU, -1, "found by nobody yet")
    tablet = Tablet(
        "x", "BER", Client(httpx.AsyncClient(), ""), truth, Tally(), Aisle(), turns, random.Random(1), online=False
    )
    truth.pick("t", "BER", [Picked(SKU, SKU)])
    for act in (Act("transferPick", {"id": "t", "lines": [{"sku": SKU, "quantity": 1}]}),
                Act("transferShip", {"id": "t"}, [Move(SKU, Place("table", "t"), truck("t"), 1)], effects(-1))):  # fmt: skip
        tablet.record(act)
    untold = change_shelf([one.act for one in tablet.queue], "BER", SKU)
    wrong = truth.error["BER", "sound", SKU]
    assert (truth.at(shelf("BER"), SKU), wrong, wrong - untold) == (10, -1, 0)
