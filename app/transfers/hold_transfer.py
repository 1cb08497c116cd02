"""A transfer in one's hands: its row locked, its lines to be changed, and what everybody is told afterwards."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.floor.find_document import not_found, write_label
from app.floor.perform import tell
from app.orders.await_transfer import reopen_case
from app.orders.lock_order import OrderNow, lock_order
from app.replenishment.follow_document import end_request
from app.run_once import Answer
from app.transfers.read_transfers import answer_transfer, sees_transfer
from domain.errors import CauseClass, Refusal, RefusalCode
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Principal
from domain.stock import StockKey
from domain.transfers import COMING, TransferLine, TransferState, describe_discrepancies

COUNTS = (
    "picked",
    "shipped",
    "received",
    "damaged",
    "missing",
    "recalled",
    "returned",
    "returned_damaged",
    "written_off",
)
_LOCK = """
SELECT id, number, state, source_id, destination_id, requested_by, approved_by, shipped_at, order_id
FROM transfers WHERE id = $1 FOR UPDATE
"""
_LINES = f"SELECT line, sku_id, requested, {', '.join(COUNTS)} FROM transfer_lines WHERE transfer_id = $1 ORDER BY line"  # noqa: S608
_KEEP_LINES = f"""
UPDATE transfer_lines l SET {", ".join(f"{name} = g.{name}" for name in COUNTS)}
FROM unnest($2::int[], {", ".join(f"${n}::int[]" for n in range(3, 3 + len(COUNTS)))}) AS g (line, {", ".join(COUNTS)})
WHERE l.transfer_id = $1 AND l.line = g.line
"""  # noqa: S608
_CODES = "SELECT id, code FROM skus WHERE id = ANY($1::int[])"
STAMPS = frozenset({"approved_at", "shipped_at", "received_at", "ended_at"})
ENDED = (TransferState.RECEIVED, TransferState.CLOSED, TransferState.CANCELLED)
"""For whoever asked for the goods: what was missing may still turn up in a RECEIVED one."""
OVERDUE = (CaseKind.TRANSFER_OVERDUE.value,)
CASES = (CaseKind.TRANSFER_DISCREPANCY.value, *OVERDUE)


@dataclass(frozen=True, slots=True)
class HeldTransfer:
    """A locked transfer. `order`: the one that waits for it, locked too, since orders go before stock."""

    id: UUID
    number: int
    state: TransferState
    source_id: int
    destination_id: int
    requested_by: str
    lines: tuple[TransferLine, ...]
    shipped_at: datetime.datetime | None = None
    order: OrderNow | None = None

    @property
    def document(self) -> str:
        return f"transfer:{self.id}"

    def at_source(self, sku_id: int) -> StockKey:
        return StockKey(sku_id, self.source_id)

    def at_destination(self, sku_id: int) -> StockKey:
        return StockKey(sku_id, self.destination_id)

    def match_lines(self, sku_ids: Iterable[int]) -> list[TransferLine]:
        """The line of each SKU. Raises `Refusal` INVALID_INPUT for one that the transfer does not have."""
        known = {line.sku_id: line for line in self.lines}
        found = []
        for index, sku_id in enumerate(sku_ids):
            if sku_id not in known:
                message = f"{write_label('transfer', self.number)} has no such SKU: set it aside and count it."
                raise Refusal(RefusalCode.INVALID_INPUT, message, ("lines", str(index), "sku"))
            found.append(known[sku_id])
        return found


async def lock_transfer(connection: Any, principal: Principal, transfer_id: UUID) -> HeldTransfer:
    """Raises `Refusal` TRANSFER_NOT_FOUND: the same for hidden and for unknown."""
    row = await connection.fetchrow(_LOCK, transfer_id)
    if row is None or not sees_transfer(principal, row):
        raise not_found("transfer")
    lines = tuple(TransferLine(*record) for record in await connection.fetch(_LINES, transfer_id))
    order = None if row["order_id"] is None else await lock_order(connection, row["order_id"])
    where = (TransferState(row["state"]), row["source_id"], row["destination_id"])
    return HeldTransfer(row["id"], row["number"], *where, row["requested_by"], lines, row["shipped_at"], order)


def replace_lines(held: HeldTransfer, changed: Iterable[TransferLine]) -> tuple[TransferLine, ...]:
    """All lines of the transfer, with these in place of the ones that they were."""
    by_number = {line.line: line for line in changed}
    return tuple(by_number.get(line.line, line) for line in held.lines)


async def keep_transfer(
    connection: Any,
    held: HeldTransfer,
    state: TransferState,
    lines: Sequence[TransferLine],
    stamps: Mapping[str, datetime.datetime],
    **columns: Any,
) -> Answer:
    """Write the new state, tell who watches, and answer with it.

    `stamps`: times by column, kept if there is none yet. `columns`: whatever else changes.
    """
    sets: list[str] = ["state = $2"]
    values: list[Any] = [held.id, state.value]
    for name, at in stamps.items():
        assert name in STAMPS
        values.append(at)
        sets.append(f"{name} = coalesce({name}, ${len(values)})")
    for name, value in columns.items():
        values.append(value)
        sets.append(f"{name} = ${len(values)}")
    await connection.execute(f"UPDATE transfers SET {', '.join(sets)} WHERE id = $1", *values)  # noqa: S608
    counts = [[getattr(line, name) for line in lines] for name in COUNTS]
    await connection.execute(_KEEP_LINES, held.id, [line.line for line in lines], *counts)
    if state in ENDED:
        await end_request(connection, held.document, came=any(line.received + line.damaged for line in lines))
    if held.order is not None and held.state in COMING and state not in COMING:
        await reopen_case(connection, held.order, write_label("transfer", held.number), state)
    await tell(connection, "transfer", held.id, (held.source_id, held.destination_id))
    return {"transfer": await answer_transfer(connection, held.id)}


async def settle_transfer(
    connection: Any,
    held: HeldTransfer,
    state: TransferState,
    lines: Sequence[TransferLine],
    at: datetime.datetime,
    now: datetime.datetime,
) -> Answer:
    """Keep it in the state that `settle_state` found. `at`: when the last unit came, if it has come."""
    stamps, columns = {}, {}
    if state is TransferState.RECEIVED:
        stamps = {"received_at": at}
        await end_cases(connection, held, state, now, OVERDUE)
    elif state is TransferState.CANCELLED:
        stamps = {"ended_at": at}
        await end_cases(connection, held, state, now)
    elif held.state is TransferState.RECEIVED:
        columns = {"received_at": None}
    return await keep_transfer(connection, held, state, lines, stamps, **columns)


async def note_discrepancies(
    connection: Any, held: HeldTransfer, lines: Sequence[TransferLine], now: datetime.datetime
) -> None:
    """One case for a transfer of which not all arrived whole. It ends when the transfer does, or nothing differs."""
    codes = {row[0]: row[1] for row in await connection.fetch(_CODES, [line.sku_id for line in lines])}
    found = describe_discrepancies(codes, lines)
    if found is None:
        await end_cases(connection, held, held.state, now, (CaseKind.TRANSFER_DISCREPANCY.value,))
        return
    title = f"{write_label('transfer', held.number)} did not arrive whole"
    subject = f"transfer:{held.id}"
    await open_cases(
        connection,
        [
            Problem(
                *(CaseKind.TRANSFER_DISCREPANCY, Severity.MEDIUM, CauseClass.UNKNOWN, subject, title, found),
                warehouse_id=held.destination_id,
            )
        ],
    )


async def end_cases(
    connection: Any, held: HeldTransfer, state: TransferState, now: datetime.datetime, kinds: Sequence[str] = CASES
) -> None:
    """What was open about it is settled with its end; whoever closed it answered for what is missing."""
    await resolve_cases(connection, kinds, {f"transfer:{held.id}": {"state": state.value, "at": now}})
