"""Returns: three tracks that never pretend to be one, and what a disposition does to a unit.

Custody says where the parcel is, condition what was found in it, money what the customer gets. None of them moves
another: a refund says nothing about stock, and only an inspection puts a unit back on the shelf.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal, RefusalCode


class ReturnState(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class ReturnOrigin(StrEnum):
    """Who said first that it comes: `DOCK`, nobody did, it was just there."""

    SUPPORT = "SUPPORT"
    CHANNEL = "CHANNEL"
    DOCK = "DOCK"


class Custody(StrEnum):
    EXPECTED = "EXPECTED"
    OVERDUE = "OVERDUE"
    PARTLY_RECEIVED = "PARTLY_RECEIVED"
    RECEIVED = "RECEIVED"


class Condition(StrEnum):
    UNINSPECTED = "UNINSPECTED"
    PARTLY_INSPECTED = "PARTLY_INSPECTED"
    INSPECTED = "INSPECTED"


class MoneyTrack(StrEnum):
    """`DUE`: we owe it. `TOLD`: the channel was told to pay. `CONFIRMED`: it says that it did."""

    NONE = "NONE"
    DUE = "DUE"
    TOLD = "TOLD"
    CONFIRMED = "CONFIRMED"


class RefundState(StrEnum):
    """Of what is due, between us and the channel. `PENDING`: to be told. `SENT`: told. `REFUSED`: it will not pay."""

    NONE = "NONE"
    PENDING = "PENDING"
    SENT = "SENT"
    REFUSED = "REFUSED"


class Disposition(StrEnum):
    """What becomes of an inspected unit. `MISSING`: it was not in the parcel."""

    RESTOCK = "RESTOCK"
    DAMAGED = "DAMAGED"
    QUALITY_CONTROL = "QUALITY_CONTROL"
    SCRAP = "SCRAP"
    RETURN_TO_VENDOR = "RETURN_TO_VENDOR"
    MISSING = "MISSING"


class Finding(StrEnum):
    """How a line came to be in the return, and what is odd about it."""

    EXPECTED = "EXPECTED"
    UNANNOUNCED = "UNANNOUNCED"
    WRONG_ITEM = "WRONG_ITEM"
    NOT_SOLD = "NOT_SOLD"
    UNKNOWN_ITEM = "UNKNOWN_ITEM"


ARRIVES_IN = "quality_control"
"""A unit stands there from the dock until it is inspected: on hand, and for nobody to buy."""
TARGETS: dict[Disposition, str | None] = {
    Disposition.RESTOCK: "available",
    Disposition.DAMAGED: "damaged",
    Disposition.QUALITY_CONTROL: None,
    Disposition.SCRAP: "scrap",
    Disposition.RETURN_TO_VENDOR: "supplier",
    Disposition.MISSING: "customer",
}
"""Where an inspected unit goes from `ARRIVES_IN`; None: it stays there."""
MONEY_STEPS: dict[MoneyTrack, frozenset[MoneyTrack]] = {
    MoneyTrack.NONE: frozenset({MoneyTrack.DUE, MoneyTrack.TOLD, MoneyTrack.CONFIRMED}),
    MoneyTrack.DUE: frozenset({MoneyTrack.DUE, MoneyTrack.TOLD, MoneyTrack.CONFIRMED}),
    MoneyTrack.TOLD: frozenset({MoneyTrack.CONFIRMED}),
    MoneyTrack.CONFIRMED: frozenset(),
}
"""A step may be skipped, as when a channel pays by itself, and none is ever taken back."""


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """Units of one SKU: announced, received, inspected. `sku_id` None: nobody knows what it is."""

    line: int
    sku_id: int | None
    authorized: int
    received: int = 0
    inspected: int = 0
    finding: Finding = Finding.EXPECTED

    @property
    def waiting(self) -> int:
        """Received and not yet inspected. What nobody knows is not ours to inspect."""
        return 0 if self.sku_id is None else self.received - self.inspected


def judge_custody(lines: Iterable[ReturnLine], expected_by: datetime.datetime, now: datetime.datetime) -> Custody:
    kept = list(lines)
    if kept and all(line.received >= line.authorized for line in kept):
        return Custody.RECEIVED
    if now > expected_by:
        return Custody.OVERDUE
    return Custody.PARTLY_RECEIVED if any(line.received for line in kept) else Custody.EXPECTED


def judge_condition(lines: Iterable[ReturnLine]) -> Condition:
    kept = list(lines)
    inspected = sum(line.inspected for line in kept)
    if inspected and not any(line.waiting for line in kept):
        return Condition.INSPECTED
    return Condition.PARTLY_INSPECTED if inspected else Condition.UNINSPECTED


def check_open(state: str, doing: str) -> None:
    """Raises `Refusal` WRONG_STATE for a return that has ended."""
    if state != ReturnState.OPEN:
        message = f"The return is {state}, one cannot {doing} it: open a new one."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


def check_close(lines: Iterable[ReturnLine]) -> None:
    """Raises `Refusal` WRONG_STATE while units wait for their inspection."""
    waiting = sum(line.waiting for line in lines)
    if waiting:
        message = f"{waiting} units are received and not inspected: inspect them first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


def check_cancel(lines: Iterable[ReturnLine]) -> None:
    """Raises `Refusal` WRONG_STATE when something has come already."""
    if any(line.received for line in lines):
        message = "Something of it was received: inspect that, and close it."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))


def check_money(now: str, wanted: MoneyTrack) -> None:
    """Raises `Refusal` WRONG_STATE for a step back."""
    if wanted not in MONEY_STEPS[MoneyTrack(now)]:
        message = f"The refund is {now}, it cannot become {wanted}."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("step",))


def check_authorized(wanted: int, sold: int | None, taken: int, code: str, path: tuple[str, ...]) -> None:
    """Refuse units that the order does not have, or has no more.

    `sold`: units of the SKU that were shipped with the order, None when it has no such line. `taken`: units of it in
    its other returns. Raises `Refusal` NOT_SOLD, OVER_RETURN.
    """
    if sold is None:
        message = f"The order has no {code}: give what was sold with it, or leave the order out."
        raise Refusal(RefusalCode.NOT_SOLD, message, (*path, "sku"))
    left = max(0, sold - taken)
    if wanted > left:
        message = f"{sold} of {code} were shipped with the order and {taken} are in other returns: at most {left}."
        raise Refusal(RefusalCode.OVER_RETURN, message, (*path, "quantity"))
