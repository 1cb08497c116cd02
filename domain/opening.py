"""When a warehouse works: its weekdays, the days on which it does not, and when its day begins."""

from __future__ import annotations

import datetime
from typing import NamedTuple

EVERY_DAY = frozenset(range(1, 8))
ONE_DAY = datetime.timedelta(days=1)
LOOK_DAYS_MAX = 400


class Opening(NamedTuple):
    """`weekdays`: of ISO 8601, Monday is 1. `open_from`: local time, None: midnight."""

    weekdays: frozenset[int] = EVERY_DAY
    closed_on: frozenset[datetime.date] = frozenset()
    open_from: datetime.time | None = None

    def is_open(self, day: datetime.date) -> bool:
        return day.isoweekday() in self.weekdays and day not in self.closed_on

    def next_open(self, day: datetime.date) -> datetime.date:
        """The day itself, or the first one after it on which it works, within `LOOK_DAYS_MAX`."""
        for _ in range(LOOK_DAYS_MAX):
            if self.is_open(day):
                break
            day += ONE_DAY
        return day


ALWAYS = Opening()
