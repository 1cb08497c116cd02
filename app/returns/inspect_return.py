"""Inspect what came back, and say of each unit what becomes of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.calls import check_text
from app.damage.keep_damage import DamageFound, keep_damages
from app.floor.find_document import DocumentRef, find_document
from app.floor.find_lines import find_lines
from app.floor.perform import FloorCall, Leg, perform, post_legs, refuse_end
from app.returns.hold_return import HeldReturn, keep_lines, keep_return, lock_return
from app.returns.split_kits import split_kits
from app.run_once import Answer
from app.state import State
from domain.approvals import ApprovalKind
from domain.errors import Refusal, RefusalCode
from domain.returns import ARRIVES_IN, TARGETS, Condition, Disposition, ReturnLine, check_open, judge_condition
from domain.stock import check_quantity

GRADE_LENGTH_MAX = 50
DISPOSED = frozenset({Disposition.SCRAP, Disposition.RETURN_TO_VENDOR})
_KEEP = """
INSERT INTO return_inspections (return_id, line, quantity, disposition, grade, evidence, note, actor, at)
SELECT $1, g.line, g.quantity, g.disposition, g.grade, g.evidence, g.note, $8, $9
FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS g (line, quantity, disposition, grade, evidence, note)
"""


@dataclass(frozen=True, slots=True)
class InspectedLine:
    """Units of a SKU that share a fate. `grade`: in the house's own words. `evidence`: where a picture is.

    `bin`: where restocked ones go.
    """

    sku: str
    quantity: int
    disposition: Disposition
    grade: str | None = None
    evidence: str | None = None
    note: str | None = None
    bin: str | None = None


async def inspect_return(state: State, act: FloorCall, ref: DocumentRef, lines: Sequence[InspectedLine]) -> Answer:
    """A SKU may come in several lines, and a kit is its components. Restocked units are for sale at once.

    Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE, INVALID_INPUT (a SKU that did not come, texts, a bin for what is
    not restocked), SKU_NOT_FOUND, INVALID_QUANTITY (more than is received and not inspected), BIN_NOT_FOUND, BIN_FULL,
    NOT_ALLOWED for more scrap, or goods for their vendor, than the caller may dispose of alone.
    """

    async def prepare() -> tuple[UUID, list[tuple[int, InspectedLine, int]]]:
        found = await find_lines(state.lookup, lines, repeats=True)
        for index, line in enumerate(lines):
            path = ("lines", str(index))
            check_quantity(line.quantity, (*path, "quantity"))
            check_text(line.grade, "grade", GRADE_LENGTH_MAX, path=path)
            check_text(line.evidence, "evidence", path=path)
            check_text(line.note, "note", path=path)
            if line.bin is not None and line.disposition is not Disposition.RESTOCK:
                message = "Only what is restocked goes into a bin."
                raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "bin"))
        split = await split_kits(state.database.hot, found, merge=False)
        await _refuse_disposal(state, act, split)
        return await find_document(state.database.hot, act.principal, "return", ref), split

    async def decide(connection: Any, given: tuple[UUID, list[Any]], now: datetime.datetime) -> Answer:
        return_id, found = given
        held = await lock_return(connection, act.principal, return_id)
        refuse_end(act.principal, held.warehouse_id, "inspect it")
        check_open(held.state, "inspect")
        after = _count(held, found)
        await post_legs(connection, act, held.document, _legs(held, found), now)
        await keep_lines(connection, held.id, after)
        await _keep(connection, act, held, found, now)
        stamps = {"inspected_at": act.at(now)} if judge_condition(after) is Condition.INSPECTED else {}
        return await keep_return(connection, held, after, stamps, now)

    return await perform(state, act, prepare, decide)


async def _refuse_disposal(state: State, act: FloorCall, found: Sequence[tuple[int, InspectedLine, int]]) -> None:
    """What is disposed of by inspecting it takes the same second person as any other disposal."""
    gone = [(sku_id, line.quantity) for sku_id, line, _ in found if line.disposition in DISPOSED]
    guard = await state.policies.guard(ApprovalKind.DISPOSAL, act.principal, [sku_id for sku_id, _ in gone])
    if gone and guard is not None and guard.exceeded(gone):
        message = (
            "That is more than you may dispose of alone: inspect it as DAMAGED, and dispose of the damage "
            "(damageDispose), which waits for a second person."
        )
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("lines",))


def _count(held: HeldReturn, found: Sequence[tuple[int, InspectedLine, int]]) -> list[ReturnLine]:
    """All lines of the return, with what was inspected."""
    kept = {line.sku_id: line for line in held.lines if line.sku_id is not None}
    for sku_id, wanted, index in found:
        line = kept.get(sku_id)
        path = ("lines", str(index))
        if line is None:
            message = f"No {wanted.sku} came with this return: receive it first."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "sku"))
        if wanted.quantity > line.waiting:
            message = f"Only {line.waiting} of {wanted.sku} are received and not inspected."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
        kept[sku_id] = replace(line, inspected=line.inspected + wanted.quantity)
    return [line if line.sku_id is None else kept[line.sku_id] for line in held.lines]


def _legs(held: HeldReturn, found: Sequence[tuple[int, InspectedLine, int]]) -> list[Leg]:
    legs = []
    for sku_id, wanted, index in found:
        target = TARGETS[wanted.disposition]
        if target is not None:
            path = ("lines", str(index), "quantity")
            legs.append(Leg(held.key(sku_id), ARRIVES_IN, target, wanted.quantity, path, bin=wanted.bin))
    return legs


async def _keep(
    connection: Any,
    act: FloorCall,
    held: HeldReturn,
    found: Sequence[tuple[int, InspectedLine, int]],
    now: datetime.datetime,
) -> None:
    """The inspection itself; what is broken is a damage like any other, to be disposed of."""
    numbers = {line.sku_id: line.line for line in held.lines}
    lines = [line for _, line, _ in found]
    await connection.execute(
        _KEEP,
        held.id,
        [numbers[sku_id] for sku_id, _, _ in found],
        [line.quantity for line in lines],
        [line.disposition.value for line in lines],
        [line.grade for line in lines],
        [line.evidence for line in lines],
        [line.note for line in lines],
        act.provenance.actor,
        act.at(now),
    )
    broken = [
        DamageFound(sku_id, line.quantity, line.grade or "RETURNED", line.evidence)
        for sku_id, line, _ in found
        if line.disposition is Disposition.DAMAGED
    ]
    await keep_damages(connection, act, held.warehouse_id, "RETURN", broken, now, document=held.document)
