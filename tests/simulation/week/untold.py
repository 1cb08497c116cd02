"""What shelves change by in the books when tablets tell what they keep, and people decide what waits for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tests.simulation.week.company import World
from tests.simulation.week.tablet import Act
from tests.simulation.week.truth import shelf

PICKS = {"fulfillmentOrderPick": "fulfillmentOrderShip", "transferPick": "transferShip"}
"""Each with what takes the picked units off the table."""


def list_untold(world: World, house: str, turn: int) -> list[Act]:
    """Acts of that warehouse, done before that turn, that Onhand does not know yet."""
    acts = [one.act for tablet in world.tablets if tablet.house == house for one in tablet.queue if one.at < turn]
    return acts + [act for act, at in world.waiting.values() if at < turn]


def change_shelf(acts: Collection[Act], house: str, sku: str) -> int:
    """Units more or less on that shelf by the books, once they are told of these."""
    leaving = {(act.name, str(act.fields["id"])) for act in acts if act.name in PICKS.values()}
    return sum(_change_by(act, house, sku, leaving) for act in acts)


def _change_by(act: Act, house: str, sku: str, leaving: Iterable[tuple[str, str]]) -> int:
    """A pick takes what its label says; what leaves from the table leaves the shelf as it is.

    `leaving`: works and transfers whose departure is not told yet. What was told to have left was picked as well, so
    its pick, which is refused then, changes nothing.
    """
    if act.name == "fulfillmentOrderShip":
        return 0
    if act.moves:
        into = sum(move.units for move in act.moves if (move.target, move.sku) == (shelf(house), sku))
        return into - sum(move.units for move in act.moves if (move.source, move.sku) == (shelf(house), sku))
    known = sum(one.units for one in act.effects if (one.house, one.book, one.sku) == (house, "sound", sku))
    if act.name in PICKS and (PICKS[act.name], str(act.fields["id"])) in leaving:
        return known - sum(line["quantity"] for line in act.fields["lines"] if line["sku"] == sku)
    return known
