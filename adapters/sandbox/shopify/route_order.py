"""Who ships what of an order: one fulfilment order for each location that gave units, seen a moment later."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox.shopify.state import Line, Order, Part, Share, State

PARTS_MAX = 100
"""Of one order: their numbers are counted within it, so that its order is found from a part's number."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Units of a line that a location gave."""

    location: int
    line: Line
    units: int


def route_order(state: State, order: Order, taken: list[Taken], fulfill_by: float | None = None) -> None:
    """Make the order's fulfilment orders; the API shows them `routing_seconds` after it was placed."""
    at = order.created_at + state.config.routing_seconds
    for location in dict.fromkeys(entry.location for entry in taken):
        shares = [
            Share(state.next_index("FulfillmentOrderLineItem"), entry.line.index, entry.units, entry.units)
            for entry in taken
            if entry.location == location
        ]
        index = order.index * PARTS_MAX + len(order.parts)
        order.parts.append(Part(index, order.index, location, shares, at, at, fulfill_by=fulfill_by))


def route_whole(state: State, order: Order) -> None:
    """All of it from the first location: an order saved by a store that did not route."""
    first = next(iter(state.locations))
    route_order(state, order, [Taken(first, line, line.unshipped) for line in order.lines if line.unshipped])


def find_part(state: State, index: int, at: float) -> Part | None:
    """None for one that is not to be seen at `at`."""
    order = state.orders.get(index // PARTS_MAX)
    return next((part for part in list_parts(order, at) if part.index == index), None) if order else None


def list_parts(order: Order, at: float) -> list[Part]:
    return [part for part in order.parts if part.created_at <= at]
