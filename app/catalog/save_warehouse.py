"""Create and change warehouses."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.tables import warehouses
from app.calls import check_text
from app.catalog.upsert import check_code
from app.run_once import Answer, transact_once
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

COUNTRY = re.compile(r"[A-Z]{2}")
_DEGREES = (("latitude", 90), ("longitude", 180))
_CAPACITIES = (("storage_capacity", "storageCapacity"), ("daily_order_capacity", "dailyOrderCapacity"))
_NEVER_NULL = (("status", "status"), ("time_zone", "timeZone"))


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


def _check_place(values: dict[str, Any]) -> None:
    for name, limit in _DEGREES:
        value = values.get(name)
        if value is not None and not -limit <= value <= limit:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{name} is from -{limit} to {limit} degrees.", (name,))
    zone = values.get("time_zone")
    if zone is not None and zone not in zoneinfo.available_timezones():
        raise Refusal(RefusalCode.INVALID_INPUT, f"{zone!r} is no IANA time zone such as Europe/Berlin.", ("timeZone",))
    country = values.get("country_code")
    if country is not None and COUNTRY.fullmatch(country) is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "A country is an ISO 3166 code such as DE.", ("countryCode",))


async def create_warehouse(database: Database, values: dict[str, Any], call: IdempotentCall | None) -> Answer:
    """Create a warehouse, once per key; its columns as plain JSON. Raises `Refusal` INVALID_INPUT, ALREADY_EXISTS."""

    async def decide(session: WriteSession) -> Answer:
        check_code(values["code"], ("code",))
        check_warehouse(values)
        made = insert(warehouses).values(**values).on_conflict_do_nothing().returning(warehouses)
        row = (await session.sql.execute(made)).one_or_none()
        if row is None:
            raise Refusal(RefusalCode.ALREADY_EXISTS, f"There is already a warehouse {values['code']!r}.", ("code",))
        return _plain(row)

    return await transact_once(database, call, decide)


async def update_warehouse(
    database: Database, principal: Principal, code: str, values: dict[str, Any], call: IdempotentCall | None
) -> Answer:
    """Change what is given, once per key. Raises `Refusal` WAREHOUSE_NOT_FOUND or INVALID_INPUT."""

    async def decide(session: WriteSession) -> Answer:
        check_warehouse(values)
        wanted = select(warehouses).where(warehouses.c.code == code).with_for_update()
        found = (await session.sql.execute(wanted)).one_or_none()
        if found is None or not principal.sees_warehouse(found.id):
            raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, f"There is no warehouse {code!r}.", ("warehouse",))
        if not values:
            return _plain(found)
        changed = update(warehouses).where(warehouses.c.id == found.id).values(**values).returning(warehouses)
        return _plain((await session.sql.execute(changed)).one())

    return await transact_once(database, call, decide)


def _plain(row: Any) -> Answer:
    return {str(name): value for name, value in row._mapping.items()}
