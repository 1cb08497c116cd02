"""When a second person must say yes: limits per role, off until somebody sets one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.errors import Refusal, RefusalCode

EVERYBODY = "*"
"""Instead of a role: whoever holds no role with a limit of its own."""


class ApprovalKind(StrEnum):
    """What is limited: stock adjusted or set, damaged stock disposed of, transfers created."""

    ADJUSTMENT = "ADJUSTMENT"
    DISPOSAL = "DISPOSAL"
    TRANSFER = "TRANSFER"


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that one person may move alone in one command: units, and their value at unit cost. None: no limit."""

    units_max: int | None = None
    value_max: Decimal | None = None


FREE = Limit()


@dataclass(frozen=True, slots=True)
class Guard:
    """A caller's limits and the unit costs to judge by. With several roles the most generous one holds."""

    limits: tuple[Limit, ...]
    costs: Mapping[int, Decimal | None]
    """By SKU id; what has no cost is above every limit of value."""

    def exceeded(self, moves: Iterable[tuple[int, int]]) -> bool:
        """Whether (SKU id, units) need a second person."""
        kept = list(moves)
        return all(self._exceeds(limit, kept) for limit in self.limits)

    def _exceeds(self, limit: Limit, moves: list[tuple[int, int]]) -> bool:
        if limit.units_max is not None and sum(units for _, units in moves) > limit.units_max:
            return True
        if limit.value_max is None:
            return False
        value = measure_value(moves, self.costs)
        return value is None or value > limit.value_max


def measure_value(moves: Iterable[tuple[int, int]], costs: Mapping[int, Decimal | None]) -> Decimal | None:
    """Units times unit cost, as it is kept with each SKU; None when a SKU has no cost. Currencies are not converted."""
    total = Decimal(0)
    for sku_id, units in moves:
        cost = costs.get(sku_id)
        if cost is None:
            return None
        total += cost * units
    return total


def choose_limits(policies: Mapping[str, Limit], roles: Iterable[str]) -> tuple[Limit, ...]:
    """What holds for somebody with these roles; `policies` by role, or `EVERYBODY`. Empty: nothing is limited."""
    if not policies:
        return ()
    found = tuple(policies.get(role, policies.get(EVERYBODY, FREE)) for role in sorted(roles))
    return () if FREE in found else found


def check_second(requested_by: str, decided_by: str, makers: Iterable[str]) -> None:
    """Raises `Refusal` SAME_PERSON. `makers`: who made the deciding token, and who made that one's.

    Nobody gets a second hand by making a token.
    """
    if requested_by == decided_by or requested_by in set(makers):
        message = "Whoever asked for it cannot approve it: a second person must."
        raise Refusal(RefusalCode.SAME_PERSON, message, ("id",))
