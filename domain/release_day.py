"""On which day of a warehouse's own calendar work is done, and when it is given to it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.opening import ALWAYS, Opening

HORIZON_DAYS = 14
"""How far ahead a day with room is looked for."""


class Calendar(NamedTuple):
    """`cut_off`: local time until which work that comes in is still done the same day; None: until midnight."""

    time_zone: str
    cut_off: datetime.time | None
    opening: Opening = ALWAYS

    def day_of(self, moment: datetime.datetime) -> datetime.date:
        """The first day on which what comes in at a moment can be done."""
        local = moment.astimezone(ZoneInfo(self.time_zone))
        late = self.cut_off is not None and local.time() >= self.cut_off
        return self.opening.next_open(local.date() + datetime.timedelta(days=late))

    def today(self, moment: datetime.datetime) -> datetime.date:
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def start_of(self, day: datetime.date) -> datetime.datetime:
        """When the day begins there, in UTC."""
        begins = self.opening.open_from or datetime.time()
        return datetime.datetime.combine(day, begins, ZoneInfo(self.time_zone)).astimezone(datetime.UTC)

    def is_due(self, day: datetime.date | None, moment: datetime.datetime) -> bool:
        """Whether work planned for a day is given to the warehouse now: its day has come, and the cut-off not."""
        return day is not None and day == self.today(moment) == self.day_of(moment)


def find_day(first: datetime.date, room: Mapping[datetime.date, int | None]) -> datetime.date | None:
    """The first day from `first` on with room, within the horizon. `room`: units left by day, None: no limit."""
    for number in range(HORIZON_DAYS):
        day = first + datetime.timedelta(days=number)
        left = room.get(day, 0)
        if left is None or left > 0:
            return day
    return None
