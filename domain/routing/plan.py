"""What routing answers: parcels, what waits for stock, and why."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Terms:
    """What one more parcel, or the units put into it, cost: micros of the policy's currency."""

    shipping: int = 0
    parcel: int = 0
    late: int = 0
    load: int = 0
    cover: int = 0

    @property
    def total(self) -> int:
        return self.shipping + self.parcel + self.late + self.load + self.cover

    def __add__(self, other: Terms) -> Terms:
        return Terms(
            self.shipping + other.shipping,
            self.parcel + other.parcel,
            self.late + other.late,
            self.load + other.load,
            self.cover + other.cover,
        )


@dataclass(frozen=True, slots=True)
class Parcel:
    """Work of one warehouse on one day. `units`: order line to quantity. `joins`: goes with scheduled work."""

    site_id: int
    code: str
    day: datetime.date
    units: Mapping[int, int]
    terms: Terms
    distance_km: float | None = None
    late_days: int = 0
    transit_days: int = 0
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A warehouse as one rule saw it. `removed`: the filter that took it out, with `detail`; None when it was offered.

    `terms`: of a parcel from there, before any unit is in it. `offered`: units by SKU id.
    """

    site_id: int
    code: str
    distance_km: float | None
    removed: str | None = None
    detail: str | None = None
    day: datetime.date | None = None
    late_days: int = 0
    terms: Terms | None = None
    offered: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule did. `solver`: EXACT, HEURISTIC, or NONE when there was nothing to choose.

    `gap`: share of the cost by which the plan may be above the cheapest one; 0 when exact. `searched`: cells looked at.
    """

    rule: str
    lines: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    solver: str
    cost: int
    gap: float = 0.0
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`waiting`: order line to the units that nothing can fill now."""

    parcels: tuple[Parcel, ...]
    waiting: Mapping[int, int]
    steps: tuple[Step, ...]

    @property
    def cost(self) -> int:
        return sum(parcel.terms.total for parcel in self.parcels)

    @property
    def solver(self) -> str:
        """HEURISTIC when any rule's was."""
        solvers = {step.solver for step in self.steps}
        return "HEURISTIC" if "HEURISTIC" in solvers else "EXACT" if "EXACT" in solvers else "NONE"
