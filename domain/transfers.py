"""Transfers between warehouses: what may be done in which state, and what each action makes of a line.

```
AWAITING_APPROVAL ──approve──▶ APPROVED ──pick──▶ PICKING ──ship──▶ IN_TRANSIT ──receive──▶ RECEIVED ──close──▶ CLOSED
        │                         │ └───────────ship──────────────▶ │   │ └────────────close───────────────────▶
        └────────cancel───────────┴──────cancel──────┘              │ cancel
                    ▼                                               ▼
                CANCELLED ◀──────────receive, close──────────── RETURNING
```
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.errors import Refusal, RefusalCode


class TransferState(StrEnum):
    """`APPROVED`: the units are held at the source. `RETURNING`: called back while on the way."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVED = "APPROVED"
    PICKING = "PICKING"
    IN_TRANSIT = "IN_TRANSIT"
    RETURNING = "RETURNING"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class TransferAction(StrEnum):
    APPROVE = "approve"
    PICK = "pick"
    SHIP = "ship"
    RECEIVE = "receive"
    CLOSE = "close"
    CANCEL = "cancel"


_S, _A = TransferState, TransferAction
TABLE: dict[tuple[TransferState, TransferAction], TransferState] = {
    (_S.AWAITING_APPROVAL, _A.APPROVE): _S.APPROVED,
    (_S.AWAITING_APPROVAL, _A.CANCEL): _S.CANCELLED,
    (_S.APPROVED, _A.PICK): _S.PICKING,
    (_S.APPROVED, _A.SHIP): _S.IN_TRANSIT,
    (_S.APPROVED, _A.CANCEL): _S.CANCELLED,
    (_S.PICKING, _A.PICK): _S.PICKING,
    (_S.PICKING, _A.SHIP): _S.IN_TRANSIT,
    (_S.PICKING, _A.CANCEL): _S.CANCELLED,
    (_S.IN_TRANSIT, _A.RECEIVE): _S.IN_TRANSIT,
    (_S.IN_TRANSIT, _A.CLOSE): _S.CLOSED,
    (_S.IN_TRANSIT, _A.CANCEL): _S.RETURNING,
    (_S.RECEIVED, _A.RECEIVE): _S.RECEIVED,
    (_S.RECEIVED, _A.CLOSE): _S.CLOSED,
    (_S.RETURNING, _A.RECEIVE): _S.RETURNING,
    (_S.RETURNING, _A.CLOSE): _S.CANCELLED,
}
"""What is not here is refused. Receiving goes on to RECEIVED, or CANCELLED, when nothing is left (`settle_state`)."""
OPEN = frozenset(_S) - {_S.CLOSED, _S.CANCELLED}
COMING = frozenset({_S.AWAITING_APPROVAL, _S.APPROVED, _S.PICKING, _S.IN_TRANSIT})
"""It may still bring what was asked for."""
HELD = frozenset({_S.APPROVED, _S.PICKING})
"""The units are committed at the source, and expected at the destination."""
AFLOAT = frozenset({_S.IN_TRANSIT, _S.RETURNING, _S.RECEIVED})
"""Units may be on the way: `in_transit` of the destination, or of the source when RETURNING."""
DOABLE = {
    _S.AWAITING_APPROVAL: "approve or cancel it",
    _S.APPROVED: "pick, ship or cancel it",
    _S.PICKING: "pick, ship or cancel it",
    _S.IN_TRANSIT: "receive, close or cancel it",
    _S.RETURNING: "receive it at the source, or close it",
    _S.RECEIVED: "close it, or receive what was missing; move it back by a new transfer",
    _S.CLOSED: "nothing can be done with it any more",
    _S.CANCELLED: "nothing can be done with it any more",
}


def next_state(state: TransferState, action: TransferAction) -> TransferState:
    """Raises `Refusal` WRONG_STATE for what the table does not have."""
    found = TABLE.get((state, action))
    if found is None:
        message = f"The transfer is {state}, one cannot {action.value} it: {DOABLE[state]}."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
    return found


def pick_state(
    state: TransferState, picked_at: datetime.datetime | None, shipped_at: datetime.datetime | None
) -> TransferState:
    """The state after a pick, which may be told when the transfer has left: then `picked_at` is not after that.

    Raises `Refusal` WRONG_STATE.
    """
    if state in AFLOAT and picked_at is not None and shipped_at is not None and picked_at <= shipped_at:
        return state
    return next_state(state, TransferAction.PICK)


@dataclass(frozen=True, slots=True)
class TransferLine:
    """Units of one SKU. `missing` is only said, and the units are still on the way until they are written off.

    `recalled`: turned back on the way. `returned` and `returned_damaged`: received at the source again.
    """

    line: int
    sku_id: int
    requested: int
    picked: int = 0
    shipped: int = 0
    received: int = 0
    damaged: int = 0
    missing: int = 0
    recalled: int = 0
    returned: int = 0
    returned_damaged: int = 0
    written_off: int = 0

    @property
    def afloat(self) -> int:
        """Units on the way, missing ones included."""
        return self.shipped - self.received - self.damaged - self.returned - self.returned_damaged - self.written_off

    @property
    def awaited(self) -> int:
        """Units on the way that nobody has said to be missing."""
        return self.afloat - self.missing


def pick_line(line: TransferLine, quantity: int, path: tuple[str, ...]) -> TransferLine:
    """Raises `Refusal` INVALID_QUANTITY for more than was asked for."""
    left = line.requested - line.picked
    if quantity > left:
        message = f"Only {left} of {line.requested} are left to be picked: correct the quantity."
        raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
    return replace(line, picked=line.picked + quantity)


def correct_shipment(line: TransferLine, *, back: bool) -> TransferLine:
    """The line of a transfer of which a pick is told after it left: what was picked was shipped, and nothing else.

    What has arrived was shipped, whatever the picks say. `back`: called back on the way.
    """
    shipped = max(line.picked, line.shipped - line.afloat)
    recalled = max(0, line.recalled + shipped - line.shipped) if back else line.recalled
    corrected = replace(line, shipped=shipped, recalled=recalled)
    return replace(corrected, missing=min(line.missing, corrected.afloat))


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was found of one line, units."""

    received: int = 0
    damaged: int = 0
    missing: int = 0

    @property
    def total(self) -> int:
        return self.received + self.damaged + self.missing


def arrive_line(line: TransferLine, arrival: Arrival, *, back: bool, path: tuple[str, ...]) -> TransferLine:
    """The line after an arrival; `back`: at the source. What was missing may turn up later.

    Raises `Refusal` INVALID_QUANTITY (negative, nothing at all), OVER_RECEIPT for more than is on the way.
    """
    if min(arrival.received, arrival.damaged, arrival.missing) < 0 or arrival.total == 0:
        message = "Say how many were received, damaged or missing: none below zero, and not all of them zero."
        raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "received"))
    found = arrival.received + arrival.damaged
    if found > line.afloat or arrival.missing > max(0, line.awaited - found):
        message = (
            f"Only {line.afloat} of {line.shipped} shipped are still on the way, {line.missing} of them said to be "
            "missing: receive those, and count what is too much in with stockAdjust."
        )
        raise Refusal(RefusalCode.OVER_RECEIPT, message, (*path, "received"))
    turned_up = max(0, found - line.awaited)
    changed = replace(line, missing=line.missing - turned_up + arrival.missing)
    if back:
        returned, broken = line.returned + arrival.received, line.returned_damaged + arrival.damaged
        return replace(changed, returned=returned, returned_damaged=broken)
    return replace(changed, received=line.received + arrival.received, damaged=line.damaged + arrival.damaged)


def settle_state(state: TransferState, lines: Iterable[TransferLine]) -> TransferState:
    """The state after an arrival: RECEIVED when every unit is accounted for, if only as missing.

    One that was called back is CANCELLED when all of it is back; what is missing waits to be written off. A RECEIVED
    one of which more was shipped than was known is on the way again.
    """
    kept = list(lines)
    if state in {TransferState.IN_TRANSIT, TransferState.RECEIVED}:
        return TransferState.IN_TRANSIT if any(line.awaited for line in kept) else TransferState.RECEIVED
    if state is TransferState.RETURNING and not any(line.afloat for line in kept):
        return TransferState.CANCELLED
    return state


def describe_discrepancies(codes: dict[int, str], lines: Iterable[TransferLine]) -> str | None:
    """A sentence for people about what did not arrive whole; None when all did. `codes`: of SKUs by id."""
    parts = []
    for line in lines:
        broken = line.damaged + line.returned_damaged
        words = [f"{count} {word}" for count, word in ((line.missing, "missing"), (broken, "damaged")) if count]
        if words:
            parts.append(f"{codes[line.sku_id]}: {' and '.join(words)} of {line.shipped}")
    return "; ".join(parts) or None
