"""The money of a return, on its own track: due, told to the channel, confirmed by it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.catalog.upsert import check_cost
from app.floor.find_document import DocumentRef, find_document
from app.floor.perform import FloorCall, perform
from app.returns.hold_return import keep_return, lock_return
from app.run_once import Answer
from app.state import State
from domain.returns import MoneyTrack, check_money

STAMPS = {
    MoneyTrack.DUE: "refund_due_at",
    MoneyTrack.TOLD: "refund_told_at",
    MoneyTrack.CONFIRMED: "refund_confirmed_at",
}


async def step_refund(
    state: State, act: FloorCall, ref: DocumentRef, step: MoneyTrack, refund: tuple[Decimal, str] | None
) -> Answer:
    """Goods and money do not wait for each other: this is allowed whatever came, and after the return has ended.

    DUE with an amount has the channel of the order told to pay at once, and again when it had refused.
    Raises `Refusal` RETURN_NOT_FOUND, WRONG_STATE for a step back, INVALID_INPUT.
    """

    async def prepare() -> UUID:
        if refund is not None:
            check_cost(refund[0], refund[1], ("refund",))
        return await find_document(state.database.hot, act.principal, "return", ref)

    async def decide(connection: Any, return_id: UUID, now: datetime.datetime) -> Answer:
        held = await lock_return(connection, act.principal, return_id)
        check_money(held.money, step)
        columns: dict[str, Any] = {"money": step.value}
        if refund is not None:
            columns |= {"refund_amount": refund[0], "refund_currency": refund[1]}
        asked = step is MoneyTrack.DUE
        stamps = {STAMPS[step]: act.at(now)}
        return await keep_return(connection, held, held.lines, stamps, now, asked=asked, **columns)

    return await perform(state, act, prepare, decide)
