"""A return in one's hands: its row locked, its lines to be changed, and what everybody is told afterwards."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.floor.find_document import not_found, write_label
from app.floor.perform import tell
from app.returns.queue_refund import queue_refund
from app.returns.read_returns import answer_return, sees_return
from app.run_once import Answer
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Principal
from domain.returns import Condition, Custody, Finding, ReturnLine, ReturnState, judge_condition, judge_custody
from domain.stock import StockKey

_LOCK = """
SELECT id, number, state, money, warehouse_id, channel_id, order_id, expected_by, custody, condition
FROM returns WHERE id = $1 FOR UPDATE
"""
_LINES = """
SELECT line, sku_id, authorized, received, inspected, finding FROM return_lines WHERE return_id = $1 ORDER BY line
"""
_KEEP_LINES = """
INSERT INTO return_lines (return_id, line, sku_id, authorized, received, inspected, finding, description)
SELECT $1, g.* FROM unnest($2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[], $8::text[]) AS g
ON CONFLICT (return_id, line) DO UPDATE SET
  authorized = excluded.authorized, received = excluded.received, inspected = excluded.inspected
"""
STAMPS = frozenset(
    {"received_at", "inspected_at", "refund_due_at", "refund_told_at", "refund_confirmed_at", "ended_at"}
)


@dataclass(frozen=True, slots=True)
class HeldReturn:
    """A locked return."""

    id: UUID
    number: int
    state: str
    money: str
    warehouse_id: int
    channel_id: int | None
    order_id: UUID | None
    expected_by: datetime.datetime
    lines: tuple[ReturnLine, ...]

    @property
    def document(self) -> str:
        return f"return:{self.id}"

    def key(self, sku_id: int) -> StockKey:
        return StockKey(sku_id, self.warehouse_id)

    def problem(self, kind: CaseKind, severity: Severity, title: str, detail: str | None = None) -> Problem:
        label = write_label("return", self.number)
        return Problem(
            *(kind, severity, CauseClass.UNKNOWN, f"return:{self.id}", f"{label} {title}", detail, self.channel_id),
            warehouse_id=self.warehouse_id,
        )


async def lock_return(connection: Any, principal: Principal, return_id: UUID) -> HeldReturn:
    """Raises `Refusal` RETURN_NOT_FOUND: the same for hidden and for unknown."""
    row = await connection.fetchrow(_LOCK, return_id)
    if row is None or not sees_return(principal, row):
        raise not_found("return")
    lines = tuple(
        ReturnLine(number, sku_id, authorized, received, inspected, Finding(finding))
        for number, sku_id, authorized, received, inspected, finding in await connection.fetch(_LINES, return_id)
    )
    owners = (row["warehouse_id"], row["channel_id"], row["order_id"])
    return HeldReturn(row["id"], row["number"], row["state"], row["money"], *owners, row["expected_by"], lines)


async def keep_lines(
    connection: Any, return_id: UUID, lines: Sequence[ReturnLine], descriptions: Mapping[int, str] | None = None
) -> None:
    """New lines and changed ones. `descriptions`: of new lines without a SKU, by their number."""
    said = descriptions or {}
    await connection.execute(
        _KEEP_LINES,
        return_id,
        [line.line for line in lines],
        [line.sku_id for line in lines],
        [line.authorized for line in lines],
        [line.received for line in lines],
        [line.inspected for line in lines],
        [line.finding.value for line in lines],
        [said.get(line.line) for line in lines],
    )


async def keep_return(
    connection: Any,
    held: HeldReturn,
    lines: Sequence[ReturnLine],
    stamps: Mapping[str, datetime.datetime],
    now: datetime.datetime,
    *,
    asked: bool = False,
    **columns: Any,
) -> Answer:
    """Judge both tracks of the goods anew, write what changed, settle its cases, tell, and answer.

    `stamps`: times by column, kept if there is none yet. `asked`: somebody says that the refund is to be paid now.
    `columns`: whatever else changes.
    """
    custody, condition = judge_custody(lines, held.expected_by, now), judge_condition(lines)
    sets: list[str] = ["custody = $2", "condition = $3"]
    values: list[Any] = [held.id, custody.value, condition.value]
    for name, at in stamps.items():
        assert name in STAMPS
        values.append(at)
        sets.append(f"{name} = coalesce({name}, ${len(values)})")
    for name, value in columns.items():
        values.append(value)
        sets.append(f"{name} = ${len(values)}")
    await connection.execute(f"UPDATE returns SET {', '.join(sets)} WHERE id = $1", *values)  # noqa: S608
    ended = columns.get("state", held.state) != ReturnState.OPEN
    await settle_cases(connection, held, custody, condition, ended, now)
    channel_id = columns.get("channel_id", held.channel_id)
    await queue_refund(connection, held, asked=asked)
    await tell(connection, "return", held.id, [held.warehouse_id], channel_id)
    return {"return": await answer_return(connection, held.id)}


async def settle_cases(
    connection: Any, held: HeldReturn, custody: Custody, condition: Condition, ended: bool, now: datetime.datetime
) -> None:
    """The clocks that no longer run."""
    kinds = []
    if ended or custody is not Custody.OVERDUE:
        kinds.append(CaseKind.RETURN_OVERDUE.value)
    if ended or condition is Condition.INSPECTED:
        kinds.append(CaseKind.RETURN_UNINSPECTED.value)
    proof = {"custody": custody.value, "condition": condition.value, "ended": ended, "at": now}
    if kinds:
        await resolve_cases(connection, kinds, {f"return:{held.id}": proof})


async def note_mismatch(connection: Any, held: HeldReturn, sentences: Sequence[str]) -> None:
    """What came is not what should have come: somebody must settle it with the customer."""
    if sentences:
        await open_cases(
            connection,
            [
                held.problem(
                    CaseKind.RETURN_MISMATCH,
                    Severity.MEDIUM,
                    "is not what was expected",
                    "; ".join(sentences),
                )
            ],
        )
