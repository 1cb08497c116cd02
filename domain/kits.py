"""Kits: how many can be made, and what an order for some of them wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MARK = "#"
"""Between the channel's id of a line, the kit it sells and the component: `17#SET#MUG` is the mugs of line 17."""


class Component(NamedTuple):
    """Units of a SKU in one kit."""

    sku: str
    quantity: int


def count_kits(available: Mapping[str, int], components: Iterable[Component]) -> int:
    """How many kits the components that are there make."""
    return min((available.get(part.sku, 0) // part.quantity for part in components), default=0)


def name_line(external_id: str, kit: str, component: str) -> str:
    return MARK.join((external_id, kit, component))
