"""The ways a marketplace misbehaves, each switched on by itself, and drawn by itself, from one seed.

{"seed": 7, "throttled": {"rate": 1, "times": 3}, "latency": {"rate": 0.1, "seconds": 0.5}}
means: the next three calls are throttled, and a tenth of all calls is half a second late.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SECONDS_MAX = 600.0
COUNT_MAX = 10_000
LATE_SECONDS = 2.0


class FaultKind(StrEnum):
    LATENCY = "latency"  # the answer is late by `seconds`
    THROTTLED = "throttled"  # 429 although tokens are left
    SERVER_ERROR = "server_error"  # HTTP 500, nothing done
    UNAVAILABLE = "unavailable"  # HTTP 503, nothing done
    LOST_REPLY = "lost_reply"  # the work is done, the connection closes in the middle of the answer
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - every access token given out dies at this call
    TOKEN_SERVICE_DOWN = "token_service_down"  # noqa: S105 - no new access token: HTTP 500
    NOT_APPLIED = "not_applied"  # ACCEPTED, and then never applied
    FEED_FATAL = "feed_fatal"
    FEED_CANCELLED = "feed_cancelled"
    OUTSIDE_CHANGE = "outside_change"  # somebody takes one unit just after a quantity was applied
    PAGE_SHIFT = "page_shift"  # an entry changes while somebody turns the page
    CANCEL_RACE = "cancel_race"  # the buyer cancels just before the shipment is confirmed
    NOTIFICATION_DUPLICATE = "notification_duplicate"  # put into the queue twice with the same notification id
    NOTIFICATION_LATE = "notification_late"  # visible `seconds` late, so out of order
    NOTIFICATION_MISSING = "notification_missing"  # never put into the queue


# What every sandbox calls these, so that one script can break them all.
SHARED_NAMES = {
    "error_500": FaultKind.SERVER_ERROR,
    "duplicate_webhook": FaultKind.NOTIFICATION_DUPLICATE,
    "missing_webhook": FaultKind.NOTIFICATION_MISSING,
    "late_webhook": FaultKind.NOTIFICATION_LATE,
}
LATE_KINDS = frozenset({FaultKind.NOTIFICATION_LATE, FaultKind.LATENCY})


class FaultError(ValueError):
    """A fault was described wrongly; nothing was changed."""


@dataclass(slots=True)
class Fault:
    """Strikes with probability `rate`, at most `times` times (None: for ever)."""

    rate: float
    times: int | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    seed: int = 0
    active: dict[FaultKind, Fault] = field(default_factory=dict)
    struck: dict[FaultKind, int] = field(default_factory=dict)
    # Each kind has dice of its own: how often one was thrown does not change what another does.
    dice: dict[FaultKind, random.Random] = field(default_factory=dict)

    def strike(self, kind: FaultKind) -> Fault | None:
        """The fault if it happens now, and counts it. No draw is made for a fault that is off."""
        fault = self.active.get(kind)
        if fault is None or fault.times == 0 or self.dice_of(kind).random() >= fault.rate:
            return None
        if fault.times is not None:
            fault.times -= 1
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return fault

    def dice_of(self, kind: FaultKind) -> random.Random:
        if kind not in self.dice:
            self.dice[kind] = random.Random(f"{self.seed}:{kind}")  # noqa: S311 - repeatable on purpose
        return self.dice[kind]

    def replace(self, raw: dict[str, Any]) -> None:
        """Sets exactly the faults described; {} switches all off. Raises FaultError."""
        seed = raw.get("seed", self.seed)
        if not isinstance(seed, int):
            raise FaultError("seed is a whole number")
        active = {_read_kind(name): _read_fault(name, fault) for name, fault in raw.items() if name != "seed"}
        self.seed, self.active, self.struck = seed, active, {}
        self.dice = {}

    def add_counted(self, raw: dict[str, Any]) -> None:
        """{"kind": "lost_reply", "count": 2}: the next two, beside what is on already. Raises FaultError."""
        kind, count = _read_kind(str(raw.get("kind"))), raw.get("count", 1)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= COUNT_MAX:
            raise FaultError(f"count is a whole number from 0 to {COUNT_MAX}")
        self.active[kind] = Fault(1.0, count, LATE_SECONDS if kind in LATE_KINDS else 0.0)

    def render(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "active": {kind.value: asdict(fault) for kind, fault in self.active.items()},
            "struck": {kind.value: times for kind, times in self.struck.items()},
        }


def _read_kind(name: str) -> FaultKind:
    if name in SHARED_NAMES:
        return SHARED_NAMES[name]
    try:
        return FaultKind(name)
    except ValueError:
        raise FaultError(f"no fault is called {name}; there are {', '.join(FaultKind)}") from None


def _read_fault(name: str, raw: Any) -> Fault:
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
