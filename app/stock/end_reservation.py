"""Release, extend and expire reservations."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.calls import check_remarks
from app.run_once import Answer, run_once
from app.stock.reserve_stock import check_seconds, reservation_answer
from app.transact import rerun
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey

SWEEP_BATCH_MAX = 500

_LOCK = """
SELECT id, status, reference, expires_at, created_at FROM reservations WHERE id = $1 FOR UPDATE
"""
LINES = """
SELECT reservation_id, sku_id, warehouse_id, quantity FROM reservation_lines
WHERE reservation_id = ANY($1::uuid[]) ORDER BY reservation_id, line
"""
_END = "UPDATE reservations SET status = $2, ended_at = $3 WHERE id = ANY($1::uuid[])"
_EXPIRED = """
SELECT id FROM reservations WHERE status = 'ACTIVE' AND expires_at <= now()
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""


async def release_reservation(
    database: Database,
    principal: Principal,
    reservation_id: UUID,
    provenance: Provenance,
    remarks: Remarks,
    call: IdempotentCall | None,
) -> Answer:
    """Give the units back, once per key. Raises `Refusal` INVALID_INPUT, RESERVATION_NOT_FOUND, RESERVATION_ENDED."""

    async def decide(connection: Any) -> Answer:
        check_remarks(remarks)
        row, lines = await _lock_active(connection, principal, reservation_id)
        now = datetime.datetime.now(datetime.UTC)
        await _give_back(connection, lines, provenance, remarks, now)
        await connection.execute(_END, [reservation_id], "RELEASED", now)
        return reservation_answer(row[0], "RELEASED", row[2], row[3], row[4], [line[1:] for line in lines])

    return await run_once(database, call, decide)


async def extend_reservation(
    database: Database,
    principal: Principal,
    reservation_id: UUID,
    seconds: int,
    seconds_max: int,
    call: IdempotentCall | None,
) -> Answer:
    """Let it last `seconds` from now. Raises `Refusal` INVALID_INPUT, RESERVATION_NOT_FOUND or RESERVATION_ENDED."""

    async def decide(connection: Any) -> Answer:
        check_seconds(seconds, seconds_max)
        row, lines = await _lock_active(connection, principal, reservation_id)
        expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        await connection.execute("UPDATE reservations SET expires_at = $2 WHERE id = $1", reservation_id, expires_at)
        return reservation_answer(row[0], "ACTIVE", row[2], expires_at, row[4], [line[1:] for line in lines])

    return await run_once(database, call, decide)


async def expire_reservations(database: Database) -> int:
    """Give back what is past its time, at most `SWEEP_BATCH_MAX` reservations; returns how many ended."""

    async def once() -> int:
        async with database.hot.acquire() as connection, connection.transaction():
            ids = [record[0] for record in await connection.fetch(_EXPIRED, SWEEP_BATCH_MAX)]
            if not ids:
                return 0
            lines = await connection.fetch(LINES, ids)
            now = datetime.datetime.now(datetime.UTC)
            await _give_back(connection, lines, Provenance("system:expiry"), Remarks("RESERVATION_EXPIRED"), now)
            await connection.execute(_END, ids, "EXPIRED", now)
            return len(ids)

    return await rerun(once)


async def _lock_active(connection: Any, principal: Principal, reservation_id: UUID) -> tuple[Any, list[Any]]:
    row = await connection.fetchrow(_LOCK, reservation_id)
    lines = await connection.fetch(LINES, [reservation_id])
    if row is None or not all(principal.sees_warehouse(line[2]) for line in lines):
        raise Refusal(RefusalCode.RESERVATION_NOT_FOUND, "There is no such reservation.", ("id",))
    if row[1] != "ACTIVE" or row[3] <= datetime.datetime.now(datetime.UTC):
        ended = "EXPIRED" if row[1] == "ACTIVE" else row[1]
        raise Refusal(RefusalCode.RESERVATION_ENDED, f"The reservation is {ended.lower()}: make a new one.", ("id",))
    return row, lines


async def _give_back(
    connection: Any, lines: Sequence[Any], provenance: Provenance, remarks: Remarks, now: datetime.datetime
) -> None:
    book = await lock_rows(connection, (StockKey(line[1], line[2]) for line in lines))
    by_document: dict[UUID, Footing] = {}
    footings: list[Footing] = []
    for reservation_id, sku_id, warehouse_id, quantity in lines:
        footing = by_document.setdefault(
            reservation_id, Footing(provenance, remarks, document=f"reservation:{reservation_id}")
        )
        book.post(Posting(StockKey(sku_id, warehouse_id), "reserved", "available", quantity))
        footings.append(footing)
    await write_book(connection, book, footings, now)
