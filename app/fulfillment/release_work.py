"""Give scheduled work to its warehouse: when it is paid, nothing is held, its time has come and the day has room.

Workers never wait for each other here: what another one holds is skipped, and is that one's.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from app.fulfillment.change_work import ring_work
from app.fulfillment.close_lists import close_lists
from app.state import State
from app.transact import rerun
from domain.opening import Opening
from domain.release_day import HORIZON_DAYS, Calendar, find_day

RELEASED_MAX = 200
LOOK_AGAIN = datetime.timedelta(hours=1)
"""When no day within the horizon has room."""
_DUE = """
SELECT f.id, f.order_id, f.warehouse_id, f.day, f.release_at, w.time_zone, w.cut_off,
  w.daily_order_capacity, w.working_days, w.closed_on, w.open_from, coalesce(f.ship_by, o.ship_by) AS ship_by
FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id JOIN warehouses w ON w.id = f.warehouse_id
WHERE f.status = 'SCHEDULED' AND (f.release_at IS NULL OR f.release_at <= now()) AND f.hold_reason IS NULL
  AND f.cancel_requested_at IS NULL AND o.payment = 'PAID' AND o.hold_reason IS NULL AND w.status = 'LIVE'
ORDER BY f.warehouse_id, f.release_at NULLS FIRST, f.id LIMIT $1
FOR SHARE OF o SKIP LOCKED FOR UPDATE OF f SKIP LOCKED
"""
_RELEASE = """
WITH released AS (
  UPDATE fulfillment_orders f SET status = 'RELEASED', day = g.day, released_at = clock_timestamp(),
    accept_by = greatest(clock_timestamp(), g.begins) + make_interval(secs => $4), version = version + 1,
    updated_at = clock_timestamp()
  FROM unnest($1::uuid[], $2::date[], $3::timestamptz[]) AS g (id, day, begins) WHERE f.id = g.id
  RETURNING f.id, f.order_id
)
INSERT INTO order_events (order_id, actor, action, data)
SELECT order_id, 'system', 'RELEASED', json_build_object('fulfillmentOrder', id) FROM released
"""
_SCHEDULE = """
UPDATE fulfillment_orders f SET day = g.day, release_at = g.release_at, version = version + 1,
  updated_at = clock_timestamp()
FROM unnest($1::uuid[], $2::date[], $3::timestamptz[]) AS g (id, day, release_at) WHERE f.id = g.id
"""
_MAKE_DAYS = """
INSERT INTO warehouse_days (warehouse_id, day, capacity)
SELECT $1, d, $3 FROM unnest($2::date[]) AS g (d) ON CONFLICT DO NOTHING
"""
_LOCK_DAYS = """
SELECT day, capacity, taken FROM warehouse_days WHERE warehouse_id = $1 AND day = ANY($2::date[])
ORDER BY day FOR UPDATE
"""
_TAKE_DAYS = """
UPDATE warehouse_days w SET taken = greatest(0, w.taken + g.units), version = w.version + 1
FROM unnest($2::date[], $3::int[]) AS g (day, units) WHERE w.warehouse_id = $1 AND w.day = g.day AND g.units <> 0
"""
Planned = list[tuple[Any, datetime.date | None, datetime.datetime | None]]


async def release_work(state: State) -> int:
    """One bounded batch; returns how many were released or given another day."""

    async def once() -> int:
        async with state.database.hot.acquire() as connection, connection.transaction():
            return await _release(connection, state.settings.accept_seconds)

    changed = await rerun(once)
    if changed:
        ring_work(state)
    return changed


async def tidy_lists(state: State) -> int:
    """Close pick lists whose work was done or taken away elsewhere."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        return await close_lists(connection)


async def _release(connection: Any, accept_seconds: float) -> int:
    due = await connection.fetch(_DUE, RELEASED_MAX)
    now = datetime.datetime.now(datetime.UTC)
    released: list[tuple[Any, datetime.date, datetime.datetime]] = []
    later: Planned = []
    for house in sorted({row["warehouse_id"] for row in due}):
        rows = [row for row in due if row["warehouse_id"] == house]
        calendar = _read_calendar(rows[0])
        waiting = [row for row in rows if not calendar.is_due(row["day"], now)]
        begins = calendar.start_of(calendar.today(now))
        released += [(row["id"], row["day"], begins) for row in rows if calendar.is_due(row["day"], now)]
        for row_id, day, release_at in await _plan(connection, house, calendar, waiting, now):
            if day is not None and calendar.is_due(day, now):
                released.append((row_id, day, begins))
            else:
                later.append((row_id, day, release_at))
    if later:
        await connection.execute(_SCHEDULE, *(list(column) for column in zip(*later, strict=True)))
    if released:
        await connection.execute(_RELEASE, *(list(column) for column in zip(*released, strict=True)), accept_seconds)
    return len(released) + len(later)


def _read_calendar(row: Any) -> Calendar:
    opening = Opening(frozenset(row["working_days"]), frozenset(row["closed_on"]), row["open_from"])
    return Calendar(row["time_zone"], row["cut_off"], opening)


def _press(row: Any) -> tuple[bool, float]:
    """What must ship first is first; the rest as it came."""
    ship_by = row["ship_by"]
    return ship_by is None, 0.0 if ship_by is None else ship_by.timestamp()


async def _plan(
    connection: Any, house: int, calendar: Calendar, rows: Sequence[Any], now: datetime.datetime
) -> Planned:
    """A day for what has none, or whose day went by; what has one to come waits for it."""
    first = calendar.day_of(now)
    ahead = [row for row in rows if row["day"] is not None and row["day"] >= first]
    planned: Planned = [(row["id"], row["day"], calendar.start_of(row["day"])) for row in ahead]
    homeless = sorted((row for row in rows if row["day"] is None or row["day"] < first), key=_press)
    if not homeless:
        return planned
    today = calendar.today(now)
    days = [first + datetime.timedelta(days=number) for number in range(HORIZON_DAYS)]
    days = sorted({today, *(day for day in days if calendar.opening.is_open(day))})
    await connection.execute(_MAKE_DAYS, house, days, homeless[0]["daily_order_capacity"])
    known = {row["day"]: row for row in await connection.fetch(_LOCK_DAYS, house, days)}
    room = {day: None if row["capacity"] is None else row["capacity"] - row["taken"] for day, row in known.items()}
    taken = dict.fromkeys(days, 0)
    for row in homeless:
        day = find_day(first, room)
        release_at = now + LOOK_AGAIN if day is None else calendar.start_of(day)
        planned.append((row["id"], day or row["day"], release_at))
        if day is not None:
            taken[day] += 1
            room[day] = None if (left := room[day]) is None else left - 1
            if row["day"] == today:
                taken[today] -= 1  # it missed the cut-off: others may use its place, say when that is put off
    await connection.execute(_TAKE_DAYS, house, days, list(taken.values()))
    return planned
