"""Somebody on the floor sees that a shelf does not hold what it should: the next plan counts it first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.counts.submit_count import CLOCK_SKEW
from app.counts.suspect_stock import Suspicion, suspect_stock
from app.run_once import Answer, run_once
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.counts import CountCause
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

SEEN = (CountCause.SURPLUS, CountCause.SHORT_PICK)


@dataclass(frozen=True, slots=True)
class DoubtLine:
    """`cause`: SURPLUS for more than there should be, SHORT_PICK for less."""

    sku: str
    cause: CountCause


class Doubts(NamedTuple):
    """`occurred_at`: when they were seen, if not just now: what was counted since then settles them."""

    warehouse: str
    lines: Sequence[DoubtLine]
    note: str | None = None
    occurred_at: datetime.datetime | None = None


async def report_doubt(state: State, principal: Principal, doubts: Doubts, call: IdempotentCall | None) -> Answer:
    """`lines` of the answer is how many are noted, once per key.

    Raises `Refusal` INVALID_INPUT (note, time), TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, then for each
    line INVALID_INPUT (cause) and SKU_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        warehouse, lines, note, at = doubts
        check_text(note, "note")
        if at is not None and at > datetime.datetime.now(datetime.UTC) + CLOCK_SKEW:
            raise Refusal(RefusalCode.INVALID_INPUT, "It was seen before now: correct the time.", ("occurredAt",))
        check_line_count(len(lines))
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        skus = await state.lookup.find_skus(line.sku for line in lines)
        for index, line in enumerate(lines):
            path = ("lines", str(index))
            if line.cause not in SEEN:
                raise Refusal(RefusalCode.INVALID_INPUT, "People see a SURPLUS or a SHORT_PICK.", (*path, "cause"))
            if line.sku not in skus:
                raise sku_not_found(line.sku, (*path, "sku"))
        await suspect_stock(connection, [Suspicion(skus[line.sku], house.id, line.cause, note, at) for line in lines])
        return {"lines": len(lines)}

    return await run_once(state.database, call, decide)
