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
    """What people, partners and clocks do to one."""

    RELEASE = "RELEASE"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    START_PICKING = "START_PICKING"
    PICK = "PICK"
    PACK = "PACK"
    SHIP = "SHIP"
    HOLD = "HOLD"
    UNHOLD = "UNHOLD"
    MOVE = "MOVE"
    SPLIT = "SPLIT"
    CANCEL = "CANCEL"


_S, _A = FulfillmentStatus, FulfillmentAction
ENDED = frozenset({_S.SHIPPED, _S.REJECTED, _S.CANCELLED})
OPEN = frozenset(_S) - ENDED
ALLOWED: dict[FulfillmentAction, frozenset[FulfillmentStatus]] = {
    _A.RELEASE: frozenset({_S.SCHEDULED}),
    _A.ACCEPT: frozenset({_S.RELEASED}),
    _A.REJECT: frozenset({_S.RELEASED, _S.ACCEPTED, _S.PICKING, _S.PICKED}),
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


def check_action(status: FulfillmentStatus, action: FulfillmentAction, held: bool) -> None:
    """Raises `Refusal` WRONG_STATE. One that is held goes on only after it is let go, or is cancelled or rejected."""
    if status not in ALLOWED[action]:
        states = ", ".join(sorted(ALLOWED[action]))
        raise Refusal(
            RefusalCode.WRONG_STATE, f"A fulfilment order that is {status} cannot do {action}: it must be {states}."
        )
    if held and action not in {_A.HOLD, _A.UNHOLD, _A.CANCEL, _A.REJECT}:
        raise Refusal(RefusalCode.WRONG_STATE, f"The fulfilment order is held: let it go before {action}.")
