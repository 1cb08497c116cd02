"""A second person says yes, and the units move; or no, and nothing does."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.approvals.read_adjustments import answer_adjustment
from app.bins.place_units import Placing, place_units
from app.calls import check_text
from app.damage.count_disposal import count_disposal
from app.exceptions.resolve_cases import resolve_cases
from app.floor.find_document import DocumentRef, find_document, not_found
from app.floor.perform import FloorCall, perform, tell
from app.run_once import Answer
from app.say_moment import say_moment
from app.state import State
from app.stock.move_stock import level_answer
from app.transfers.hold_transfer import lock_transfer
from app.transfers.write_off import house_of_loss, write_off
from domain.approvals import check_second
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey

NOTE_LENGTH_MAX = 500
_LOCK = """
SELECT id, state, warehouse_id, damage_id, disposal, lines::text AS lines, reason, note, reference, requested_by,
  requested_name, requested_at, effective_at, transfer_id
FROM adjustments WHERE id = $1 FOR UPDATE
"""
_DECIDE = """
UPDATE adjustments SET state = $2, decided_by = $3, decided_name = $4, decided_at = $5, decision_note = $6 WHERE id = $1
"""
_MAKERS = """
WITH RECURSIVE made (maker, depth) AS (
  SELECT maker, 1 FROM tokens WHERE 'token:' || id = $1
  UNION ALL
  SELECT t.maker, m.depth + 1 FROM made m JOIN tokens t ON 'token:' || t.id = m.maker WHERE m.depth < 20
)
SELECT maker FROM made WHERE maker IS NOT NULL
"""


async def approve_adjustment(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Post what was asked for, as it was asked for; `adjustment`, `levels` and ids of `movements`.

    Raises `Refusal` ADJUSTMENT_NOT_FOUND, WRONG_STATE (also of a transfer that turned round or ended meanwhile),
    SAME_PERSON, INSUFFICIENT_STOCK (it stays pending then).
    """

    async def decide(connection: Any, adjustment_id: UUID, now: datetime.datetime) -> Answer:
        row = await _lock_pending(connection, act.principal, adjustment_id)
        check_second(row["requested_by"], act.principal.id, await read_makers(connection, act.principal))
        if row["damage_id"] is not None:
            await count_disposal(connection, row["damage_id"], row["disposal"], orjson.loads(row["lines"]))
        moved = await (_lose if row["transfer_id"] else _post)(connection, act, row, now)
        await _close(connection, act, row, "APPROVED", now)
        return {"adjustment": await answer_adjustment(connection, adjustment_id), **moved}

    return await perform(
        state, act, lambda: find_document(state.database.hot, act.principal, "adjustment", ref), decide
    )


async def reject_adjustment(state: State, act: FloorCall, ref: DocumentRef) -> Answer:
    """Nothing moves. Whoever asked may take it back so. Raises `Refusal` ADJUSTMENT_NOT_FOUND, WRONG_STATE."""

    async def decide(connection: Any, adjustment_id: UUID, now: datetime.datetime) -> Answer:
        row = await _lock_pending(connection, act.principal, adjustment_id)
        if row["damage_id"] is not None:
            await count_disposal(connection, row["damage_id"], None, orjson.loads(row["lines"]))
        await _close(connection, act, row, "REJECTED", now)
        return {"adjustment": await answer_adjustment(connection, adjustment_id)}

    return await perform(
        state, act, lambda: find_document(state.database.hot, act.principal, "adjustment", ref), decide
    )


async def read_makers(connection: Any, principal: Principal) -> list[str]:
    """Who made the principal's token, who made theirs, and so on."""
    return [row[0] for row in await connection.fetch(_MAKERS, principal.id)]


async def _lock_pending(connection: Any, principal: Principal, adjustment_id: UUID) -> Any:
    row = await connection.fetchrow(_LOCK, adjustment_id)
    if row is None or not principal.sees_warehouse(row["warehouse_id"]):
        raise not_found("adjustment")
    if row["state"] != "PENDING":
        raise Refusal(RefusalCode.WRONG_STATE, f"It is {row['state']} already.", ("id",))
    return row


async def _lose(connection: Any, act: FloorCall, row: Any, now: datetime.datetime) -> Answer:
    """What of a transfer has not turned up since it was asked."""
    held = await lock_transfer(connection, act.principal, row["transfer_id"])
    if house_of_loss(held) != row["warehouse_id"]:
        raise Refusal(RefusalCode.WRONG_STATE, "The transfer has turned round since: reject it.", ("id",))
    await write_off(connection, _speak_for(act, row), held, now)
    return {"levels": [], "movements": []}


def _speak_for(act: FloorCall, row: Any) -> FloorCall:
    """The words of who asked, by the hand of who approves.

    An adjustment says what was seen when it was asked for, so that is when it happened. A disposal waits for its yes,
    and what a transfer lost is found then.
    """
    seen = row["damage_id"] is None and row["transfer_id"] is None
    happened = row["effective_at"] or (row["requested_at"] if seen else None)
    remarks = Remarks(row["reason"], row["note"], row["reference"])
    given = act.provenance
    maker = Provenance(
        f"{given.actor} for {row['requested_name']}", given.token_id, given.request_id, given.idempotency_key
    )
    return replace(act, remarks=remarks, provenance=maker, occurred_at=happened)


async def _post(connection: Any, act: FloorCall, row: Any, now: datetime.datetime) -> Answer:
    """The movements keep the words of who asked, and are made by who approved."""
    moves = orjson.loads(row["lines"])
    book = await lock_rows(connection, (StockKey(move["sku_id"], row["warehouse_id"]) for move in moves))
    for move in moves:
        key = StockKey(move["sku_id"], row["warehouse_id"])
        try:
            book.post(Posting(key, move["source"], move["target"], move["quantity"]), ("id",))
        except Refusal as refusal:
            if refusal.code is RefusalCode.INSUFFICIENT_STOCK:
                refusal.doubt = key
            raise
    spoken = _speak_for(act, row)
    document = f"damage:{row['damage_id']}" if row["damage_id"] else f"adjustment:{row['id']}"
    footing = Footing(spoken.provenance, spoken.remarks, document, spoken.occurred_at)
    ids = await write_book(connection, book, [footing] * len(book.entries), now)
    await say_moment(connection, spoken.occurred_at)
    await place_units(connection, row["warehouse_id"], [_place(move) for move in moves if move.get("bin")], done=True)
    return {"levels": [level_answer(key, balance, now) for key, balance in book.changed()], "movements": ids}


def _place(move: Any) -> Placing:
    units = move["quantity"] if move["target"] == "available" else -move["quantity"]
    return Placing(move["sku_id"], move["bin"], units, ("id",))


async def _close(connection: Any, act: FloorCall, row: Any, state: str, now: datetime.datetime) -> None:
    note = act.remarks.note
    check_text(note, "note", NOTE_LENGTH_MAX)
    if row["requested_by"] == act.principal.id:
        note, state = f"Taken back. {note or ''}".strip(), "REJECTED"
    by = None if row["requested_by"] == act.principal.id else act.principal.id
    await connection.execute(_DECIDE, row["id"], state, by, act.provenance.actor, now, note)
    proof = {f"adjustment:{row['id']}": {"state": state, "at": now}}
    await resolve_cases(connection, [CaseKind.APPROVAL_WAITING.value], proof)
    await tell(connection, "adjustment", row["id"], [row["warehouse_id"]])
