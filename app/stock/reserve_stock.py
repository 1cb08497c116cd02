"""Reserve: hold stock for a time, before there is an order. Runs through the combiner."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.documents import DocumentTable
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing
from adapters.postgres.rows import RowShape
from app.calls import check_remarks
from app.catalog.lookup import Lookup, sku_not_found
from app.run_once import Answer, refuse_once
from app.state import State
from app.stock.run_commands import Decision
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import Book, Posting, StockKey, check_quantity

LINES_MAX = 1_000
RESERVATIONS = DocumentTable(
    "reservations",
    RowShape(
        (
            *(("id", "uuid"), ("reference", "text"), ("expires_at", "timestamptz")),
            *(("actor", "text"), ("created_at", "timestamptz")),
        ),
        shared=frozenset({"reference", "expires_at", "actor", "created_at"}),
    ),
)
RESERVATION_LINES = DocumentTable(
    "reservation_lines",
    RowShape(
        (
            *(("reservation_id", "uuid"), ("line", "int"), ("sku_id", "int")),
            *(("warehouse_id", "int"), ("quantity", "int")),
        )
    ),
)


@dataclass(frozen=True, slots=True)
class ReserveLine:
    """`candidates`: the warehouses to take all of it from, the one with most available first."""

    sku_id: int
    candidates: tuple[int, ...]
    quantity: int


@dataclass(frozen=True, slots=True)
class ReserveStock:
    """A reservation to be made, all of its lines or nothing."""

    lines: tuple[ReserveLine, ...]
    seconds: int
    footing: Footing
    call: IdempotentCall | None
    id: UUID

    @property
    def exclusive(self) -> Hashable | None:
        return None if self.call is None else (self.call.principal, self.call.key)

    def keys(self) -> Iterable[StockKey]:
        return [StockKey(line.sku_id, warehouse) for line in self.lines for warehouse in line.candidates]

    def footing_of(self, index: int) -> Footing:
        return self.footing

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Post each line from available to reserved. Raises `Refusal` INSUFFICIENT_STOCK for the first that fails."""
        placed = []
        for index, line in enumerate(self.lines):
            warehouse_id = _fullest(book, line)
            key = StockKey(line.sku_id, warehouse_id)
            book.post(Posting(key, "available", "reserved", line.quantity), ("lines", str(index), "quantity"))
            placed.append((self.id, index, line.sku_id, warehouse_id, line.quantity))
        expires_at = now + datetime.timedelta(seconds=self.seconds)
        reference = self.footing.remarks.reference
        header = (self.id, reference, expires_at, self.footing.provenance.actor, now)
        answer = reservation_answer(self.id, "ACTIVE", reference, expires_at, now, [row[2:] for row in placed])
        return Decision(answer, {RESERVATIONS: [header], RESERVATION_LINES: placed})


def _fullest(book: Book, line: ReserveLine) -> int:
    if len(line.candidates) == 1:
        return line.candidates[0]
    return max(line.candidates, key=lambda warehouse: book.balances[StockKey(line.sku_id, warehouse)]["available"])


def reservation_answer(
    reservation_id: UUID,
    status: str,
    reference: str | None,
    expires_at: datetime.datetime,
    created_at: datetime.datetime,
    lines: Sequence[tuple[int, int, int]],
) -> dict[str, Any]:
    """The answer, as orjson keeps it. `lines`: (sku id, warehouse id, units)."""
    return {
        "id": reservation_id,
        "status": status,
        "reference": reference,
        "expires_at": expires_at,
        "created_at": created_at,
        "lines": [list(line) for line in lines],
    }


@dataclass(frozen=True, slots=True)
class WantedLine:
    """A line as the caller gives it: SKU code or barcode, units, and perhaps a warehouse code."""

    sku: str
    quantity: int
    warehouse: str | None = None


async def reserve_stock(
    state: State,
    principal: Principal,
    lines: Sequence[WantedLine],
    seconds: int | None,
    provenance: Provenance,
    remarks: Remarks,
    call: IdempotentCall | None,
) -> Answer:
    """Reserve, once per key, sharing a transaction with whoever else is waiting. Raises `Refusal`.

    `seconds`: how long; None for the default.
    """
    settings = state.settings
    wanted = settings.reservation_seconds_default if seconds is None else seconds
    try:
        command = await prepare_reservation(
            state.lookup, principal, lines, wanted, settings.reservation_seconds_max, provenance, remarks, call
        )
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)
    return await state.combiner.submit(command)


async def prepare_reservation(
    lookup: Lookup,
    principal: Principal,
    lines: Sequence[WantedLine],
    seconds: int,
    seconds_max: int,
    provenance: Provenance,
    remarks: Remarks,
    call: IdempotentCall | None,
) -> ReserveStock:
    """Resolve codes and check what can be checked without a lock.

    Raises `Refusal`, in this order: INVALID_INPUT (remarks), TOO_MANY_LINES or INVALID_INPUT for the lines or the
    time, then for each line INVALID_QUANTITY, SKU_NOT_FOUND, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED.
    """
    check_remarks(remarks)
    check_line_count(len(lines))
    check_seconds(seconds, seconds_max)
    skus = await lookup.find_skus(line.sku for line in lines)
    resolved = [await _resolve(lookup, principal, skus, line, index) for index, line in enumerate(lines)]
    reservation_id = uuid7()
    footing = Footing(provenance, remarks, document=f"reservation:{reservation_id}")
    return ReserveStock(tuple(resolved), seconds, footing, call, reservation_id)


def check_seconds(seconds: int, seconds_max: int) -> None:
    if not 1 <= seconds <= seconds_max:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"A reservation lasts from 1 to {seconds_max} seconds.",
            ("expiresInSeconds",),
        )


def check_line_count(count: int) -> None:
    if count == 0:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give at least one line.", ("lines",))
    if count > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines at once: split the input.", ("lines",))


async def _resolve(
    lookup: Lookup, principal: Principal, skus: dict[str, int], line: WantedLine, index: int
) -> ReserveLine:
    path = ("lines", str(index))
    check_quantity(line.quantity, (*path, "quantity"))
    sku_id = skus.get(line.sku)
    if sku_id is None:
        raise sku_not_found(line.sku, (*path, "sku"))
    if line.warehouse is not None:
        found = await lookup.find_warehouse(line.warehouse, principal, (*path, "warehouse"))
        return ReserveLine(sku_id, (found.id,), line.quantity)
    visible = [
        known.id
        for known in (await lookup.warehouses()).values()
        if known.status == "LIVE" and principal.sees_warehouse(known.id)
    ]
    if not visible:
        raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, "There is no open warehouse to reserve from.", path)
    return ReserveLine(sku_id, tuple(visible), line.quantity)
