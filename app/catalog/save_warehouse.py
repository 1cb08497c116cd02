"""Create and change warehouses."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from functools import cache
from typing import Any

from sqlalchemy import case, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.order_tables import warehouse_days
from adapters.postgres.tables import warehouses
from app.calls import check_text
from app.catalog.upsert import check_code, check_tags
from app.channels.relay_stock import recompute_desired
from app.run_once import Answer, transact_once
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.opening import EVERY_DAY

COUNTRY = re.compile(r"[A-Z]{2}")
_DEGREES = (("latitude", 90), ("longitude", 180))
_CAPACITIES = (("storage_capacity", "storageCapacity"), ("daily_order_capacity", "dailyOrderCapacity"))
_NEVER_NULL = (
    *(("status", "status"), ("time_zone", "timeZone"), ("groups", "groups")),
    *(("working_days", "workingDays"), ("closed_on", "closedOn")),
)
CLOSED_MAX = 366
_SELLS_ON = "SELECT DISTINCT channel_id FROM channel_warehouses WHERE warehouse_id = $1 ORDER BY channel_id"
_TIMES = ("cut_off", "open_from")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def check_warehouse(values: dict[str, Any]) -> None:
    """Refuse what no warehouse can be: nameless, off the globe, in an unknown time zone, of negative capacity."""
    if "name" in values and not str(values["name"] or "").strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the warehouse a name.", ("name",))
    for name in ("name", "address"):
        check_text(values.get(name), name)
    for name, field in _NEVER_NULL:
        if name in values and values[name] is None:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{field} cannot be taken away: leave it out.", (field,))
    _check_place(values)
    for name, field in _CAPACITIES:
        if (values.get(name) or 0) < 0:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{field} is zero or more.", (field,))
    check_tags(values.get("groups"), ("groups",))
    _check_calendar(values)


def _check_calendar(values: dict[str, Any]) -> None:
    for name, field, what in (("cut_off", "cutOff", "A cut-off"), ("open_from", "openFrom", "openFrom")):
        if values.get(name) is not None and _CLOCK.fullmatch(values[name]) is None:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{what} is a time of day such as 15:30.", (field,))
    opens, cut_off = values.get("open_from"), values.get("cut_off")
    if opens is not None and cut_off is not None and opens >= cut_off:
        raise Refusal(RefusalCode.INVALID_INPUT, "It opens before its cut-off.", ("openFrom",))
    days = values.get("working_days")
    if days is not None and not (days and set(days) <= EVERY_DAY):
        message = "Give the weekdays on which it works, from 1 (Monday) to 7: at least one."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("workingDays",))
    closed = values.get("closed_on") or []
    if len(closed) > CLOSED_MAX or not all(_is_date(day) for day in closed):
        message = f"closedOn is at most {CLOSED_MAX} days such as 2026-12-25."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("closedOn",))


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_place(values: dict[str, Any]) -> None:
    for name, limit in _DEGREES:
        value = values.get(name)
        if value is not None and not -limit <= value <= limit:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{name} is from -{limit} to {limit} degrees.", (name,))
    zone = values.get("time_zone")
    if zone is not None and zone not in _time_zones():
        raise Refusal(RefusalCode.INVALID_INPUT, f"{zone!r} is no IANA time zone such as Europe/Berlin.", ("timeZone",))
    country = values.get("country_code")
    if country is not None and COUNTRY.fullmatch(country) is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "A country is an ISO 3166 code such as DE.", ("countryCode",))


@cache
def _time_zones() -> set[str]:
    """Read once: each reading walks through hundreds of files."""
    return zoneinfo.available_timezones()


async def create_warehouse(database: Database, values: dict[str, Any], call: IdempotentCall | None) -> Answer:
    """Create a warehouse, once per key; its columns as plain JSON. Raises `Refusal` INVALID_INPUT, ALREADY_EXISTS."""

    async def decide(session: WriteSession) -> Answer:
        check_code(values["code"], ("code",))
        check_warehouse(values)
        made = insert(warehouses).values(**_columns(values)).on_conflict_do_nothing().returning(warehouses)
        row = (await session.sql.execute(made)).one_or_none()
        if row is None:
            raise Refusal(RefusalCode.ALREADY_EXISTS, f"There is already a warehouse {values['code']!r}.", ("code",))
        return _plain(row)

    return await transact_once(database, call, decide)


async def update_warehouse(
    database: Database, principal: Principal, code: str, values: dict[str, Any], call: IdempotentCall | None
) -> Answer:
    """Change what is given, once per key; what it holds is published while it is LIVE.

    Raises `Refusal` WAREHOUSE_NOT_FOUND or INVALID_INPUT.
    """

    async def decide(session: WriteSession) -> Answer:
        check_warehouse(values)
        wanted = select(warehouses).where(warehouses.c.code == code).with_for_update()
        found = (await session.sql.execute(wanted)).one_or_none()
        if found is None or not principal.sees_warehouse(found.id):
            raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, f"There is no warehouse {code!r}.", ("warehouse",))
        if not values:
            return _plain(found)
        changed = update(warehouses).where(warehouses.c.id == found.id).values(**_columns(values)).returning(warehouses)
        row = (await session.sql.execute(changed)).one()
        if "daily_order_capacity" in values:
            await _change_days(session, row)
        if row.status != found.status:
            await _publish_anew(session, row.id)
        return _plain(row)

    return await transact_once(database, call, decide)


async def _change_days(session: WriteSession, row: Any) -> None:
    """Days to come have the new capacity, or what is already taken of them when that is more."""
    capacity = row.daily_order_capacity
    days = warehouse_days.c
    wanted = null() if capacity is None else case((days.taken > capacity, days.taken), else_=capacity)
    await session.sql.execute(
        update(warehouse_days)
        .where(days.warehouse_id == row.id, days.day >= func.current_date())
        .values(capacity=wanted, version=days.version + 1)
    )


async def _publish_anew(session: WriteSession, warehouse_id: int) -> None:
    """No movement says that what stands there may be sold from now on, or may not."""
    for row in await session.raw.fetch(_SELLS_ON, warehouse_id):
        await recompute_desired(session.raw, channel_id=row["channel_id"])


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name in _TIMES:
        if found.get(name) is not None:
            found[name] = datetime.time.fromisoformat(found[name])
    if "working_days" in found:
        found["working_days"] = sorted(set(found["working_days"]))
    if "closed_on" in found:
        found["closed_on"] = sorted({datetime.date.fromisoformat(day) for day in found["closed_on"]})
    return found


def _plain(row: Any) -> Answer:
    plain = {str(name): value for name, value in row._mapping.items()}
    times = {name: None if plain[name] is None else f"{plain[name]:%H:%M}" for name in _TIMES}
    return {**plain, **times, "closed_on": [day.isoformat() for day in plain["closed_on"]]}
