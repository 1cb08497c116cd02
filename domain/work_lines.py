"""The lines of a fulfilment order: what may be picked and shipped of them, and what is missing.

quantity = shipped + cancelled + short + what it still binds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from domain.errors import Refusal, RefusalCode
from domain.stock import QUANTITY_MAX


class WorkLine(NamedTuple):
    """`line`: the order's line. Units of it; `picked` counts what was shipped too.

    `cancel_requested`: units that the warehouse is asked to cancel. Shipping wins.
    """

    line: int
    sku_id: int
    quantity: int
    picked: int = 0
    shipped: int = 0
    cancelled: int = 0
    short: int = 0
    cancel_requested: int = 0

    @property
    def requested(self) -> int:
        return min(self.cancel_requested, self.bound)

    @property
    def bound(self) -> int:
        """Still to be shipped: the ledger's `committed` has them."""
        return self.quantity - self.shipped - self.cancelled - self.short

    @property
    def unpicked(self) -> int:
        return max(0, min(self.bound, self.quantity - self.cancelled - self.short - self.picked))

    @property
    def packable(self) -> int:
        """Picked, and not shipped."""
        return min(self.bound, self.picked - self.shipped)


class Pick(NamedTuple):
    """What a picker found of a SKU, and what was not there though it should be."""

    sku_id: int
    quantity: int
    short: int = 0


def apply_picks(lines: Sequence[WorkLine], picks: Sequence[Pick]) -> list[WorkLine]:
    """The lines after the picks, which fill the lines of a SKU in order.

    Raises `Refusal` for each pick in order: INVALID_QUANTITY, SKU_NOT_IN_ORDER, OVER_PICK.
    """
    now = list(lines)
    for index, pick in enumerate(picks):
        path = ("lines", str(index))
        check_units(pick.quantity, (*path, "quantity"))
        check_units(pick.short, (*path, "short"))
        if pick.quantity + pick.short == 0:
            message = "Say how many were picked, or how many are short."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
        _check_room(now, pick, path)
        now = _spread(now, pick)
    return now


def check_units(units: int, path: tuple[str, ...]) -> None:
    """Refuse units below zero or beyond what a line may have."""
    if not 0 <= units <= QUANTITY_MAX:
        raise Refusal(RefusalCode.INVALID_QUANTITY, f"The units must be from 0 to {QUANTITY_MAX}.", path)


def _check_room(lines: Sequence[WorkLine], pick: Pick, path: tuple[str, ...]) -> None:
    check_contains(lines, pick.sku_id, (*path, "sku"))
    left = sum(line.unpicked for line in lines if line.sku_id == pick.sku_id)
    if pick.quantity + pick.short > left:
        message = f"Only {left} more are to be picked of it: put the rest back."
        raise Refusal(RefusalCode.OVER_PICK, message, (*path, "quantity"))


def check_contains(lines: Sequence[WorkLine], sku_id: int, path: tuple[str, ...]) -> None:
    """Raises `Refusal` SKU_NOT_IN_ORDER."""
    if not any(line.sku_id == sku_id for line in lines):
        message = "The SKU is not in this fulfilment order: put it back, and scan what the list says."
        raise Refusal(RefusalCode.SKU_NOT_IN_ORDER, message, path)


def _spread(lines: Sequence[WorkLine], pick: Pick) -> list[WorkLine]:
    found, missing, spread = pick.quantity, pick.short, []
    for line in lines:
        if line.sku_id == pick.sku_id:
            taken = min(found, line.unpicked)
            found -= taken
            line = line._replace(picked=line.picked + taken)
            lost = min(missing, line.unpicked)
            missing -= lost
            line = line._replace(short=line.short + lost)
        spread.append(line)
    return spread


def plan_parcel(lines: Sequence[WorkLine], wanted: Sequence[tuple[int, int]] | None) -> dict[int, int]:
    """Units by line that leave in one parcel; `wanted`: (SKU, units), None for all that can leave.

    Once something was picked, only what was picked can leave; whoever does not tell us of picking ships right away.
    Raises `Refusal` for each wanted one in order: INVALID_QUANTITY, SKU_NOT_IN_ORDER, OVER_SHIP; and OVER_SHIP for a
    parcel with nothing in it.
    """
    picking = any(line.packable for line in lines)
    room = {line.line: line.packable if picking else line.bound for line in lines}
    parcel = dict(room) if wanted is None else {}
    for index, (sku_id, units) in enumerate(wanted or ()):
        path = ("lines", str(index))
        if not 1 <= units <= QUANTITY_MAX:
            message = f"The quantity must be a whole number from 1 to {QUANTITY_MAX}."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
        check_contains(lines, sku_id, (*path, "sku"))
        _fill_parcel(parcel, lines, room, sku_id, units, path)
    parcel = {line: units for line, units in parcel.items() if units}
    if not parcel:
        raise Refusal(RefusalCode.OVER_SHIP, "Nothing of it is left to be shipped.", ("lines",))
    return parcel


def _fill_parcel(
    parcel: dict[int, int],
    lines: Sequence[WorkLine],
    room: Mapping[int, int],
    sku_id: int,
    units: int,
    path: tuple[str, ...],
) -> None:
    same = [line.line for line in lines if line.sku_id == sku_id]
    left = sum(room[line] - parcel.get(line, 0) for line in same)
    if units > left:
        message = f"Only {left} of it can be shipped now: lower the quantity, or pick it first."
        raise Refusal(RefusalCode.OVER_SHIP, message, (*path, "quantity"))
    for line in same:
        taken = min(units, room[line] - parcel.get(line, 0))
        parcel[line] = parcel.get(line, 0) + taken
        units -= taken


def ship_units(lines: Sequence[WorkLine], parcel: Mapping[int, int]) -> list[WorkLine]:
    """The lines after the parcel has left: what was shipped had been picked, told or not."""
    after = []
    for line in lines:
        shipped = line.shipped + parcel.get(line.line, 0)
        after.append(line._replace(shipped=shipped, picked=max(line.picked, shipped)))
    return after
