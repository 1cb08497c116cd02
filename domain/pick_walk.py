"""The way through the bins on which a batch of orders is picked: zone by zone, bin by bin, each visited once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Need(NamedTuple):
    """Units that an order of the batch still wants; `position`: of the order in the batch."""

    position: int
    sku_id: int
    units: int


class BinContent(NamedTuple):
    """What lies in a bin. `place`: sorts bins in the order in which they are walked."""

    place: tuple[int, str, int, str]
    bin: str
    sku_id: int
    units: int


class Step(NamedTuple):
    """Take `units` of a SKU from a bin for an order of the batch. `bin` None: no bin is known to have it."""

    bin: str | None
    sku_id: int
    position: int
    units: int


def plan_walk(needs: Iterable[Need], contents: Iterable[BinContent]) -> list[Step]:
    """Orders get their units in the order of the batch; what lies in no bin comes last."""
    waiting: dict[int, list[Need]] = {}
    for need in sorted(needs):
        if need.units > 0:
            waiting.setdefault(need.sku_id, []).append(need)
    steps: list[Step] = []
    for content in sorted(contents):
        steps += _take(waiting.get(content.sku_id, []), content.bin, content.sku_id, content.units)
    for sku_id in sorted(waiting):
        left = sum(need.units for need in waiting[sku_id])
        steps += _take(waiting[sku_id], None, sku_id, left)
    return steps


def _take(waiting: list[Need], place: str | None, sku_id: int, units: int) -> Sequence[Step]:
    steps = []
    while waiting and units > 0:
        need = waiting[0]
        taken = min(need.units, units)
        units -= taken
        steps.append(Step(place, sku_id, need.position, taken))
        if taken == need.units:
            waiting.pop(0)
        else:
            waiting[0] = need._replace(units=need.units - taken)
    return steps
