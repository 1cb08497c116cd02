"""A listing's revisions: 250 in a calendar day, each listing and day a bucket of the quota's.

The bucket is full when it is first named, and fills by one in what is left of the day: nothing comes back before
midnight. Urgent writes may use what the quota keeps back. Yesterday's bucket is never named again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.channels.base import Quota, Throttled

LISTINGS_MAX = 200_000
WAIT_SECONDS_MAX = 30.0
"""A caller that waits until midnight would also let a zero wait, which may use what was kept back."""


@dataclass(slots=True)
class RevisionBudget:
    quota: Quota
    per_day: int
    zone: ZoneInfo
    clock: Callable[[], float] = time.time
    _named: set[str] = field(default_factory=set)
    # (bucket, urgent): known to hold nothing more today.
    _spent: set[tuple[str, bool]] = field(default_factory=set)

    def wait(self, listing: str, *, urgent: bool) -> float | None:
        """None: there may be a revision left. Else how long not to ask again. Costs nothing."""
        name, seconds = self._name(listing)
        return min(seconds, WAIT_SECONDS_MAX) if (name, urgent) in self._spent else None

    async def take(self, listing: str, *, urgent: bool) -> float | None:
        """None: one revision is taken. Else how long not to ask again."""
        name, seconds = self._name(listing)
        await self._open(name, seconds)
        try:
            await self.quota.take(name, urgent=urgent)
        except Throttled:
            self._remember((name, urgent))
            return min(seconds, WAIT_SECONDS_MAX)
        return None

    async def exhaust(self, listing: str) -> float:
        """eBay says that none is left. How long not to ask again."""
        name, seconds = self._name(listing)
        await self.quota.announce(name, rate=1.0 / seconds, burst=float(self.per_day), available=0.0)
        self._named.add(name)
        for urgent in (False, True):
            self._remember((name, urgent))
        return min(seconds, WAIT_SECONDS_MAX)

    def _remember(self, spent: tuple[str, bool]) -> None:
        if len(self._spent) >= LISTINGS_MAX:
            self._spent.clear()
        self._spent.add(spent)

    def _name(self, listing: str) -> tuple[str, float]:
        """(the bucket, seconds until midnight)."""
        here = datetime.fromtimestamp(self.clock(), self.zone)
        midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), self.zone)
        seconds = midnight.timestamp() - here.timestamp()  # by the clock: a day of 23 hours has fewer
        return f"revisions:{listing}:{here.date().isoformat()}", max(1.0, seconds)

    async def _open(self, name: str, seconds: float) -> None:
        """Say once how much the bucket holds: its level is left as it is when another process was first."""
        if name in self._named:
            return
        if len(self._named) >= LISTINGS_MAX:
            self._named.clear()
        await self.quota.announce(name, rate=1.0 / seconds, burst=float(self.per_day))
        self._named.add(name)
