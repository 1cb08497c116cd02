"""Receive, adjust and set: movements between a warehouse's buckets and the world outside."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing
from app.approvals.ask_approval import ADJUSTMENTS, Asker, Move, adjustment_row
from app.bins.place_units import Placing, place_units
from app.calls import check_moment, check_remarks
from app.catalog.lookup import Lookup, sku_not_found
from app.catalog.upsert import check_cost
from app.counts.suspect_stock import suspect_refused
from app.run_once import Answer, refuse_once, run_once
from app.say_moment import say_moment
from app.state import State
from app.stock.reserve_stock import check_line_count
from app.stock.run_commands import Decision, run_alone, run_commands
from domain.approvals import ApprovalKind, Guard, measure_value
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import (
    BUCKETS,
    QUANTITY_MAX,
    Balance,
    Book,
    Posting,
    StockKey,
    check_quantity,
    check_version,
)

ADJUSTABLE = ("available", "damaged", "quality_control")
"""Buckets a person may set; reserved and committed follow their documents."""
Kind = Literal["receive", "adjust", "set"]


@dataclass(frozen=True, slots=True)
class MoveLine:
    """`quantity`: units received, the delta of an adjustment, or the bucket's new balance. `bin`: into which the units
    go, or from which they are taken.
    """

    sku: str
    quantity: int
    bucket: str = "available"
    expected_version: int | None = None
    unit_cost: Decimal | None = None
    currency: str | None = None
    bin: str | None = None


@dataclass(frozen=True, slots=True)
class MoveStock:
    """One receipt, adjustment or setting in one warehouse: all lines or nothing."""

    kind: Kind
    warehouse_id: int
    lines: tuple[tuple[int, MoveLine], ...]
    """(sku id, line), one per SKU and bucket; of a receipt one per bin as well."""
    provenance: Provenance
    remarks: Remarks
    call: IdempotentCall | None
    effective_at: datetime.datetime | None
    _posted: list[MoveLine]
    guard: Guard | None = None
    """What one person may move alone; above it the command asks instead."""
    asker: Asker | None = None

    @property
    def exclusive(self) -> Hashable | None:
        return None if self.call is None else (self.call.principal, self.call.key)

    @property
    def footing(self) -> Footing:
        return Footing(self.provenance, self.remarks, effective_at=self.effective_at)

    def footing_of(self, index: int) -> Footing:
        line = self._posted[index]
        return Footing(
            self.provenance,
            self.remarks,
            effective_at=self.effective_at,
            unit_cost=line.unit_cost,
            currency=line.currency,
        )

    def keys(self) -> Iterable[StockKey]:
        return [StockKey(sku_id, self.warehouse_id) for sku_id, _ in self.lines]

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Check every version, then post, or ask when it is above what one person may move alone.

        Raises `Refusal` STALE_VERSION, INSUFFICIENT_STOCK or INVALID_QUANTITY.
        """
        self._posted.clear()
        for index, (sku_id, line) in enumerate(self.lines):
            balance = book.balances[StockKey(sku_id, self.warehouse_id)]
            check_version(balance, line.expected_version, ("lines", str(index), "expectedVersion"))
        if self.guard is not None and self.guard.exceeded(
            (s, abs(self._delta(book, s, line))) for s, line in self.lines
        ):
            return self._ask(book, self.guard, now)
        for index, (sku_id, line) in enumerate(self.lines):
            self._post(book, StockKey(sku_id, self.warehouse_id), line, index)
        moved = {entry.key for entry in book.entries}
        levels = [
            level_answer(key, book.balances[key], now if key in moved else None) for key in dict.fromkeys(self.keys())
        ]
        return Decision({"levels": levels}, lists_movements=True)

    def _delta(self, book: Book, sku_id: int, line: MoveLine) -> int:
        """Units to move into the bucket; a setting is held against the bucket as it is now."""
        if self.kind == "set":
            return line.quantity - book.balances[StockKey(sku_id, self.warehouse_id)][line.bucket]
        return line.quantity

    def _ends(self, line: MoveLine, delta: int) -> tuple[str, str]:
        outside = "supplier" if self.kind == "receive" else "adjustment"
        return (outside, line.bucket) if delta > 0 else (line.bucket, outside)

    def _post(self, book: Book, key: StockKey, line: MoveLine, index: int) -> None:
        delta = self._delta(book, key.sku_id, line)
        if delta == 0:
            return
        field = "delta" if self.kind == "adjust" else "quantity"
        try:
            book.post(Posting(key, *self._ends(line, delta), abs(delta)), ("lines", str(index), field))
        except Refusal as refusal:
            if refusal.code is RefusalCode.INSUFFICIENT_STOCK:
                refusal.doubt = key
            raise
        self._posted.append(line)

    def _ask(self, book: Book, guard: Guard, now: datetime.datetime) -> Decision:
        """Nothing moves yet. A setting is kept as its difference, so that what moves meanwhile is not undone."""
        assert self.asker is not None
        moves = []
        for sku_id, line in self.lines:
            delta = self._delta(book, sku_id, line)
            if delta:
                moves.append(Move(sku_id, *self._ends(line, delta), abs(delta), line.bin))
        value = measure_value(((move.sku_id, move.quantity) for move in moves), guard.costs)
        adjustment_id = uuid7()
        row = adjustment_row(
            *(adjustment_id, "ADJUSTMENT", self.warehouse_id, moves, value),
            *(self.remarks, self.asker, self.effective_at, now),
        )
        levels = [level_answer(key, book.balances[key], None) for key in dict.fromkeys(self.keys())]
        answer = {"levels": levels, "movements": [], "adjustment": {"id": str(adjustment_id)}}
        return Decision(answer, {ADJUSTMENTS: [row]})

    def placings(self) -> list[Placing]:
        """What goes into bins and out of them, once it is posted."""
        named = [(index, sku_id, line) for index, (sku_id, line) in enumerate(self.lines) if line.bin is not None]
        return [Placing(sku_id, line.bin or "", line.quantity, ("lines", str(index))) for index, sku_id, line in named]


def level_answer(key: StockKey, balance: Balance, now: datetime.datetime | None) -> dict[str, Any]:
    """A stock level as plain JSON; `now` when the command moved it, so that its version goes up by one."""
    moved_at = now or balance.updated_at
    return {
        "sku_id": key.sku_id,
        "warehouse_id": key.warehouse_id,
        **dict(zip(BUCKETS, balance.accounts, strict=False)),
        "incoming": balance.incoming,
        "safety_stock": balance.safety_stock,
        "version": balance.version + (now is not None),
        "updated_at": None if moved_at is None else moved_at.isoformat(),
    }


async def move_stock(
    state: State,
    principal: Principal,
    kind: Kind,
    warehouse: str,
    lines: Sequence[MoveLine],
    provenance: Provenance,
    remarks: Remarks,
    call: IdempotentCall | None,
    effective_at: datetime.datetime | None = None,
) -> Answer:
    """Move stock in a transaction of its own, once per key; `levels` and ids of `movements`. Raises `Refusal`.

    Whoever would take out more than the books have may be looking at it: that is noted for the next count.
    Above what the principal may move alone nothing moves, and `adjustment` of the answer waits for a second person.
    """
    try:
        command = await prepare_movement(
            state.lookup, principal, kind, warehouse, lines, provenance, remarks, call, effective_at
        )
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)
    if kind != "receive":
        guard = await state.policies.guard(ApprovalKind.ADJUSTMENT, principal, (sku_id for sku_id, _ in command.lines))
        command = replace(command, guard=guard, asker=Asker(principal.id, principal.name))
    try:
        result = await _run(state, command)
    except Refusal as refusal:
        await suspect_refused(state.database.hot, refusal)
        raise
    finally:
        state.doorbell.ring("feed")
    return result


async def _run(state: State, command: MoveStock) -> Answer:
    """With bins, or told later, it is a transaction that says more than a combined one. Raises `Refusal`."""
    placings = command.placings()
    if not placings and command.effective_at is None:
        (result,) = await run_commands(state.database, [command])
        if isinstance(result, Exception):
            raise result
        return result

    async def decide(connection: Any) -> Answer:
        await say_moment(connection, command.effective_at)
        answer = await run_alone(connection, replace(command, call=None))
        if answer.get("adjustment") is None:
            done = command.effective_at is not None
            await place_units(connection, command.warehouse_id, placings, done=done)
        return answer

    return await run_once(state.database, command.call, decide)


async def prepare_movement(
    lookup: Lookup,
    principal: Principal,
    kind: Kind,
    warehouse: str,
    lines: Sequence[MoveLine],
    provenance: Provenance,
    remarks: Remarks,
    call: IdempotentCall | None,
    effective_at: datetime.datetime | None = None,
) -> MoveStock:
    """Resolve codes and check what needs no lock.

    Raises `Refusal`: INVALID_INPUT (remarks, time), TOO_MANY_LINES, WAREHOUSE_NOT_FOUND, WAREHOUSE_CLOSED, then
    for each line INVALID_INPUT (bucket, cost), INVALID_QUANTITY, SKU_NOT_FOUND, DUPLICATE_LINE.
    """
    check_remarks(remarks)
    check_moment(effective_at)
    check_line_count(len(lines))
    found = await lookup.find_warehouse(warehouse, principal, ("warehouse",), booking=True)
    skus = await lookup.find_skus(line.sku for line in lines)
    resolved: dict[tuple[int, str, str | None], MoveLine] = {}
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        _check_line(kind, line, path)
        sku_id = skus.get(line.sku)
        if sku_id is None:
            raise sku_not_found(line.sku, (*path, "sku"))
        place = line.bin if kind == "receive" else None
        if (sku_id, line.bucket, place) in resolved:
            raise Refusal(
                RefusalCode.DUPLICATE_LINE,
                f"SKU {line.sku!r} comes twice: make one line of them.",
                (*path, "sku"),
            )
        resolved[sku_id, line.bucket, place] = line
    pairs = tuple((sku_id, line) for (sku_id, _, _), line in resolved.items())
    return MoveStock(kind, found.id, pairs, provenance, remarks, call, effective_at, [])


def _check_line(kind: Kind, line: MoveLine, path: tuple[str, ...]) -> None:
    if line.bucket not in ADJUSTABLE:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            "Only AVAILABLE, DAMAGED and QUALITY_CONTROL can be set: the others follow their documents.",
            (*path, "bucket"),
        )
    if line.bin is not None and (kind == "set" or line.bucket != "available"):
        raise Refusal(RefusalCode.INVALID_INPUT, "Only AVAILABLE units stand in bins.", (*path, "bin"))
    if kind == "receive":
        check_quantity(line.quantity, (*path, "quantity"))
    elif kind == "adjust":
        check_quantity(abs(line.quantity), (*path, "delta"))
    elif not 0 <= line.quantity <= QUANTITY_MAX:
        raise Refusal(
            RefusalCode.INVALID_QUANTITY,
            f"The quantity must be from 0 to {QUANTITY_MAX}.",
            (*path, "quantity"),
        )
    check_cost(line.unit_cost, line.currency, (*path, "unitCost"))
