"""Inventory accuracy for Prometheus: every worker measures the same."""

from __future__ import annotations

import datetime

from app.counts.read_accuracy import AccuracyFilter, read_accuracy
from app.metrics import ACCURACY
from app.state import State
from domain.accuracy import Accuracy
from domain.identity import Principal

WINDOW = datetime.timedelta(days=30)
_EVERYTHING = Principal("system", "system", frozenset())
_COLUMNS = ("lines", "lines_right", "units", "units_wrong", "value", "value_wrong")


async def gauge_accuracy(state: State) -> int:
    """Set the gauges of every warehouse that was counted lately. Returns 0."""
    since = datetime.datetime.now(datetime.UTC) - WINDOW
    ACCURACY.clear()
    for row in await read_accuracy(state.database.hot, _EVERYTHING, AccuracyFilter(since=since), None):
        found = Accuracy(*(row[name] for name in _COLUMNS))
        for name, share in (("line", found.by_line), ("unit", found.by_unit), ("value", found.by_value)):
            if share is not None:
                ACCURACY.labels(row["warehouse"], name).set(share)
    return 0
