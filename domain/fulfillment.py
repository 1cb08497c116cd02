"""What a fulfilment order can be, and what may be done to it in each state.

    SCHEDULED -> RELEASED -> ACCEPTED -> PICKING -> PICKED -> PACKED -> SHIPPED
                                                                  \\-> PARTLY_SHIPPED -> ...

Until it has ended it may be held (a reason beside the state). REJECTED, CANCELLED and SHIPPED are ends: what a
rejected one was to ship is routed anew, as another fulfilment order.
"""

from __future__ import annotations

from enum import StrEnum

from domain.errors import Refusal, RefusalCode


class FulfillmentStatus(StrEnum):
    """`SCHEDULED`: promised, not yet given to the warehouse. `RELEASED`: there, nobody has taken it on."""

    SCHEDULED = "SCHEDULED"
    RELEASED = "RELEASED"
    ACCEPTED = "ACCEPTED"
    PICKING = "PICKING"
    PICKED = "PICKED"
    PACKED = "PACKED"
    PARTLY_SHIPPED = "PARTLY_SHIPPED"
    SHIPPED = "SHIPPED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class FulfillmentAction(StrEnum):
    """What people, partners and clocks do to one. `TIME_OUT`: nobody took it on in time. `VACATE`: its warehouse was
    closed before anybody took it on.
    """

    RELEASE = "RELEASE"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    TIME_OUT = "TIME_OUT"
    VACATE = "VACATE"
    START_PICKING = "START_PICKING"
    PICK = "PICK"
    PACK = "PACK"
    SHIP = "SHIP"
    HOLD = "HOLD"
    UNHOLD = "UNHOLD"
    MOVE = "MOVE"
    SPLIT = "SPLIT"
    CANCEL = "CANCEL"


class RejectReason(StrEnum):
    """Why a warehouse does not do it. `NOT_IN_STOCK`: the units are not there, whatever the ledger says."""

    NOT_IN_STOCK = "NOT_IN_STOCK"
    DAMAGED = "DAMAGED"
    NO_CAPACITY = "NO_CAPACITY"
    CANNOT_SHIP = "CANNOT_SHIP"
    OTHER = "OTHER"


class Delivery(StrEnum):
    """Where a parcel is, as its carrier last said."""

    SHIPPED = "SHIPPED"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


_S, _A = FulfillmentStatus, FulfillmentAction
ENDED = frozenset({_S.SHIPPED, _S.REJECTED, _S.CANCELLED})
OPEN = frozenset(_S) - ENDED
QUEUED = OPEN - {_S.SCHEDULED}
"""What a warehouse has before it."""
ALLOWED: dict[FulfillmentAction, frozenset[FulfillmentStatus]] = {
    _A.RELEASE: frozenset({_S.SCHEDULED}),
    _A.ACCEPT: frozenset({_S.RELEASED}),
    _A.REJECT: QUEUED,
    _A.TIME_OUT: frozenset({_S.RELEASED}),
    _A.VACATE: frozenset({_S.SCHEDULED, _S.RELEASED}),
    _A.START_PICKING: frozenset({_S.ACCEPTED, _S.PARTLY_SHIPPED}),
    _A.PICK: frozenset({_S.PICKING}),
    _A.PACK: frozenset({_S.PICKED}),
    _A.SHIP: frozenset({_S.ACCEPTED, _S.PICKING, _S.PICKED, _S.PACKED, _S.PARTLY_SHIPPED}),
    _A.HOLD: OPEN,
    _A.UNHOLD: OPEN,
    _A.MOVE: frozenset({_S.SCHEDULED, _S.RELEASED, _S.ACCEPTED}),
    _A.SPLIT: frozenset({_S.SCHEDULED, _S.RELEASED, _S.ACCEPTED}),
    _A.CANCEL: OPEN,
}
"""The states in which each may be done; everywhere else it is refused."""
NEXT: dict[FulfillmentStatus, str] = {
    _S.SCHEDULED: "it is released by itself when it is paid and its day has come",
    _S.RELEASED: "accept or reject it first",
    _S.ACCEPTED: "start picking, or ship it",
    _S.PICKING: "pick what is left, or say that it is short",
    _S.PICKED: "pack or ship it",
    _S.PACKED: "ship it, or reject it",
    _S.PARTLY_SHIPPED: "start picking the rest, or ship or reject it",
    _S.SHIPPED: "it has left; a return brings it back",
    _S.REJECTED: "what it was to ship is routed anew, as another fulfilment order",
    _S.CANCELLED: "nothing is to be done any more; put back what was picked",
}
"""What to do instead."""


def check_action(status: FulfillmentStatus, action: FulfillmentAction, held: bool) -> None:
    """Raises `Refusal` WRONG_STATE. One that is held goes on only after it is let go, or is cancelled or rejected."""
    if status not in ALLOWED[action]:
        name = action.value.lower().replace("_", " ")
        message = f"The fulfilment order is {status}, which does not go with {name}: {NEXT[status]}."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    if held and action not in {_A.HOLD, _A.UNHOLD, _A.CANCEL, _A.REJECT}:
        message = "The fulfilment order is held: let it go with fulfillmentOrderRelease first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


DELIVERY_ORDER = (Delivery.SHIPPED, Delivery.IN_TRANSIT, Delivery.OUT_FOR_DELIVERY, Delivery.FAILED, Delivery.DELIVERED)


def follow_delivery(now: Delivery, told: Delivery) -> Delivery:
    """What is kept when a carrier tells something: words come late and out of order. DELIVERED is the last one.

    A parcel whose delivery failed may be on its way again.
    """
    if now is Delivery.DELIVERED:
        return now
    if now is Delivery.FAILED:
        return now if told is Delivery.SHIPPED else told
    return max(now, told, key=DELIVERY_ORDER.index)
