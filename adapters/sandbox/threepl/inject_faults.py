"""The ways a partner misbehaves for a while, each switched on by itself, drawn from one seed.

{"seed": 7, "throttled": {"rate": 1, "times": 3}, "down": {"rate": 1}} means: the next three calls are over the limit,
and nothing answers until the faults are set anew.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SECONDS_MAX = 86_400.0


class FaultKind(StrEnum):
    DOWN = "down"  # 503 to every call
    ERROR_500 = "error_500"  # nothing done
    THROTTLED = "throttled"  # 429 with Retry-After
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - 401, credentials_invalid, although they are right
    LOST_REPLY = "lost_reply"  # done, and the connection closes in the middle of the answer
    DUPLICATE_EVENT = "duplicate_event"  # a change is told twice in one answer
    REORDERED_EVENT = "reordered_event"  # the newest change first
    MISSING_EVENT = "missing_event"  # a change is left out of this answer
    LATE_EVENT = "late_event"  # a change is told `seconds` after it happened
    CANCEL_RACE = "cancel_race"  # the goods leave just before the cancellation is heard
    SHORT_SHIP = "short_ship"  # one unit less than there is
    SPLIT_SHIP = "split_ship"  # every line in a parcel of its own
    REJECT = "reject"  # does not take the order on
    STALE_SNAPSHOT = "stale_snapshot"  # the numbers of before the last parcel
    OUTSIDE_CHANGE = "outside_change"  # a unit of the first SKU is lost before the snapshot


class FaultError(ValueError):
    """A fault was described wrongly; nothing was changed."""


@dataclass(slots=True)
class Fault:
    """Strikes with probability `rate`, at most `times` times (None: for ever)."""

    rate: float = 1.0
    times: int | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    seed: int = 0
    active: dict[FaultKind, Fault] = field(default_factory=dict)
    struck: dict[FaultKind, int] = field(default_factory=dict)
    dice: dict[FaultKind, random.Random] = field(default_factory=dict)

    def strike(self, kind: FaultKind) -> Fault | None:
        """The fault if it happens now, and counts it. Each kind has dice of its own."""
        fault = self.active.get(kind)
        if fault is None or fault.times == 0:
            return None
        dice = self.dice.setdefault(kind, random.Random(f"{self.seed}:{kind}"))  # noqa: S311 - repeatable
        if dice.random() >= fault.rate:
            return None
        if fault.times is not None:
            fault.times -= 1
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return fault

    def replace(self, raw: Any) -> None:
        """Sets exactly the faults described; {} switches all off. Raises `FaultError`."""
        if not isinstance(raw, dict) or not isinstance(raw.get("seed", 0), int):
            raise FaultError("send an object of faults; seed is a whole number")
        active = {read_kind(name): read_fault(name, one) for name, one in raw.items() if name != "seed"}
        self.seed, self.active, self.struck, self.dice = raw.get("seed", self.seed), active, {}, {}

    def add(self, kind: FaultKind, times: int | None = 1, seconds: float = 0.0) -> None:
        """One more, beside what is on already."""
        self.active[kind] = Fault(1.0, times, seconds)

    def render(self) -> dict[str, Any]:
        active = {kind.value: asdict(fault) for kind, fault in self.active.items()}
        return {"seed": self.seed, "active": active, "struck": {kind.value: n for kind, n in self.struck.items()}}


def read_kind(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError:
        raise FaultError(f"no fault is called {name}; there are {', '.join(FaultKind)}") from None


def read_fault(name: str, raw: Any) -> Fault:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = {"rate": raw}
    if not isinstance(raw, dict) or not raw.keys() <= {"rate", "times", "seconds"}:
        raise FaultError(f"{name}: give a rate, or an object of rate, times and seconds")
    rate, times, seconds = raw.get("rate", 1.0), raw.get("times"), raw.get("seconds", 0.0)
    if not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise FaultError(f"{name}: rate is from 0 to 1")
    if times is not None and (not isinstance(times, int) or times < 0):
        raise FaultError(f"{name}: times is a whole number, zero or more")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= SECONDS_MAX:
        raise FaultError(f"{name}: seconds is from 0 to {SECONDS_MAX:.0f}")
    return Fault(float(rate), times, float(seconds))
