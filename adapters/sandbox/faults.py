"""How every sandbox misbehaves on command: faults switched on by name, drawn from one seed, counted as they strike.

{"seed": 7, "throttled": {"rate": 1, "times": 3}, "latency": {"rate": 0.1, "seconds": 0.5}}
means: the next three calls are throttled, and a tenth of all calls is half a second late.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

COUNT_MAX = 10_000
LATE_SECONDS = 2.0

K = TypeVar("K", bound=StrEnum)


class FaultError(ValueError):
    """A fault was described wrongly; nothing was changed."""


@dataclass(slots=True)
class Fault:
    """Strikes with probability `rate`, at most `times` times (None: for ever)."""

    rate: float = 1.0
    times: int | None = None
    seconds: float = 0.0


@dataclass
class FaultBox(Generic[K]):
    """The faults of one sandbox that are on.

    A sandbox says its `kinds`, further `names` for them (those that all sandboxes share, so that one script can break
    any of them), which are `late` by themselves when they are only counted, and for how long one may be.
    """

    kinds: ClassVar[type[StrEnum]]
    names: ClassVar[Mapping[str, StrEnum]] = {}
    late: ClassVar[frozenset[StrEnum]] = frozenset()
    seconds_max: ClassVar[float] = 600.0

    seed: int = 0
    active: dict[K, Fault] = field(default_factory=dict)
    struck: dict[K, int] = field(default_factory=dict)
    occasions: dict[K, int] = field(default_factory=dict)
    """How often each that is on could have struck."""
    dice: dict[K, random.Random] = field(default_factory=dict)
    """Each kind has dice of its own: how often one was thrown does not change what another does."""

    def strike(self, kind: K) -> Fault | None:
        """The fault if it happens now, and counts it. No draw is made for a fault that is off."""
        fault = self.active.get(kind)
        if fault is None or fault.times == 0:
            return None
        self.occasions[kind] = self.occasions.get(kind, 0) + 1
        if self.dice_of(kind).random() >= fault.rate:
            return None
        if fault.times is not None:
            fault.times -= 1
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return fault

    def dice_of(self, kind: K) -> random.Random:
        if kind not in self.dice:
            self.dice[kind] = random.Random(f"{self.seed}:{kind}")  # noqa: S311 - repeatable on purpose
        return self.dice[kind]

    def replace(self, raw: Any) -> None:
        """Sets exactly the faults described; {} switches all off. Raises `FaultError`."""
        if not isinstance(raw, dict) or not isinstance(raw.get("seed", 0), int):
            raise FaultError("send an object of faults; seed is a whole number")
        active = {self._read_kind(name): self._read_fault(name, one) for name, one in raw.items() if name != "seed"}
        self.seed, self.active = raw.get("seed", self.seed), active
        self.struck, self.occasions, self.dice = {}, {}, {}

    def add(self, kind: K, times: int | None = 1, seconds: float = 0.0) -> None:
        """One more, beside what is on already."""
        self.active[kind] = Fault(1.0, times, seconds)

    def add_counted(self, raw: dict[str, Any]) -> None:
        """{"kind": "lost_reply", "count": 2}: the next two, beside what is on already. Raises `FaultError`."""
        kind, count = self._read_kind(str(raw.get("kind"))), raw.get("count", 1)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= COUNT_MAX:
            raise FaultError(f"count is a whole number from 0 to {COUNT_MAX}")
        self.add(kind, count, LATE_SECONDS if kind in self.late else 0.0)

    def render(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "active": {kind.value: asdict(fault) for kind, fault in self.active.items()},
            "struck": {kind.value: times for kind, times in self.struck.items()},
            "occasions": {kind.value: times for kind, times in self.occasions.items()},
        }

    def _read_kind(self, name: str) -> K:
        try:
            found: Any = self.names[name] if name in self.names else self.kinds(name)
        except ValueError:
            raise FaultError(f"no fault is called {name}; there are {', '.join(self.kinds)}") from None
        kind: K = found
        return kind

    def _read_fault(self, name: str, raw: Any) -> Fault:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            raw = {"rate": raw}
        if not isinstance(raw, dict) or not raw.keys() <= {"rate", "times", "seconds"}:
            raise FaultError(f"{name}: give a rate, or an object of rate, times and seconds")
        rate, times, seconds = raw.get("rate", 1.0), raw.get("times"), raw.get("seconds", 0.0)
        if not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise FaultError(f"{name}: rate is from 0 to 1")
        if times is not None and (not isinstance(times, int) or times < 0):
            raise FaultError(f"{name}: times is a whole number, zero or more")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= self.seconds_max:
            raise FaultError(f"{name}: seconds is from 0 to {self.seconds_max:.0f}")
        return Fault(float(rate), times, float(seconds))
