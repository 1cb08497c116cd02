"""A listing's revisions: 250 in a calendar day, each listing and day a bucket of the quota's.

The bucket is full when it is first named, and fills by one in what is left of the day, so that the wait for one
more is the wait for midnight. Urgent writes may use what the quota keeps back. Yesterday's bucket is never named
again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.channels.base import Quota, Throttled

LISTINGS_MAX = 200_000


@dataclass(slots=True)
class RevisionBudget:
    quota: Quota
    per_day: int
    zone: ZoneInfo
    clock: Callable[[], float] = time.time
    _named: set[str] = field(default_factory=set)

    async def take(self, listing: str, *, urgent: bool) -> float | None:
        """None: one revision is taken. Else the seconds until there is another."""
        name, seconds = self._name(listing)
        await self._open(name, seconds)
        try:
            await self.quota.take(name, urgent=urgent)
        except Throttled as throttled:
            return throttled.wait_seconds
        return None

    async def exhaust(self, listing: str) -> float:
        """eBay says that none is left; the seconds until midnight."""
        name, seconds = self._name(listing)
        await self.quota.announce(name, rate=1.0 / seconds, burst=float(self.per_day), available=0.0)
        self._named.add(name)
        return seconds

    def _name(self, listing: str) -> tuple[str, float]:
        """(the bucket, seconds until midnight)."""
        here = datetime.fromtimestamp(self.clock(), self.zone)
        midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), self.zone)
        seconds = (midnight.astimezone(UTC) - here.astimezone(UTC)).total_seconds()
        return f"revisions:{listing}:{here.date().isoformat()}", max(1.0, seconds)

    async def _open(self, name: str, seconds: float) -> None:
        """Say once how much the bucket holds: its level is left as it is when another process was first."""
        if name in self._named:
            return
        if len(self._named) >= LISTINGS_MAX:
            self._named.clear()
        await self.quota.announce(name, rate=1.0 / seconds, burst=float(self.per_day))
        self._named.add(name)
