"""The command that promises what an order on record still wants, or all of it anew that no warehouse was told of."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson

from adapters.postgres.documents import ChangeTable
from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing
from adapters.postgres.orders import LineRow, OrderRow, ScheduledWork
from adapters.postgres.rows import RowShape
from app.orders.write_order import ORDER_EVENTS
from app.routing.carry_out import Carried, carry_out
from app.routing.prepare_routing import Prepared, Want
from app.run_once import Answer
from app.stock.run_commands import Decision
from domain.errors import Refusal, RefusalCode
from domain.orders import LineCounts, OrderStatus, check_line_change, check_order_change, order_status
from domain.routing.problem import Wanted
from domain.stock import Book, DayKey, Posting, StockKey

BACKORDER = "BACKORDER"
"""The trigger that comes again and again: its decisions are kept only when they promise something."""
CLOSED = frozenset(("CANCELLED", "SHIPPED"))
LINES = ChangeTable(
    RowShape((("order_id", "uuid"), ("line", "int"), ("units", "int"))),
    "UPDATE order_lines l SET allocated = l.allocated + g.units FROM g "
    "WHERE l.order_id = g.order_id AND l.line = g.line",
)
STATES = ChangeTable(
    RowShape((("id", "uuid"), ("status", "text"), ("problem", "text"))),
    "UPDATE orders o SET status = g.status, problem = g.problem, version = o.version + 1, updated_at = now() "
    "FROM g WHERE o.id = g.id",
)


CANCELLED = ChangeTable(
    RowShape((("work", "uuid"),)),
    "UPDATE fulfillment_orders f SET status = 'CANCELLED', version = version + 1, updated_at = now() "
    "FROM g WHERE f.id = g.work",
)
WITHDRAWN = ChangeTable(
    RowShape((("work", "uuid"), ("line", "int"), ("units", "int"))),
    "UPDATE fulfillment_order_lines l SET cancelled = l.cancelled + g.units FROM g "
    "WHERE l.fulfillment_order_id = g.work AND l.line = g.line",
)


class _Unchanged(Exception):
    """Routing an order anew brings nothing."""


@dataclass(frozen=True, slots=True)
class FillOrder:
    """The open rest of an order on record. `barred`: warehouses left out, besides those that rejected it.

    `anew`: also what is promised by work that is not released yet. `frees`: days on which that gives places back.
    """

    id: UUID
    prepared: Prepared
    footing: Footing
    trigger: str
    barred: Mapping[int, str] = field(default_factory=dict)
    anew: bool = False
    held: frozenset[StockKey] = frozenset()
    frees: frozenset[DayKey] = frozenset()
    strict: bool = False
    plans_work: Literal[True] = True
    call: IdempotentCall | None = None

    @property
    def exclusive(self) -> Hashable | None:
        return ("order", self.id)

    def orders(self) -> Iterable[UUID]:
        return (self.id,)

    def keys(self) -> Iterable[StockKey]:
        return {*self.prepared.keys(self.prepared.skus.keys()), *self.held}

    def days(self) -> Iterable[DayKey]:
        return self.prepared.locks | self.frees

    def footing_of(self, index: int) -> Footing:
        return self.footing

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Nothing when nothing of it is open any more. Raises `Refusal` ORDER_NOT_FOUND."""
        order: OrderRow | None = book.locked.get(self.id)
        if order is None:
            raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.")
        if order.status in CLOSED:
            return Decision(describe_order(order, order.lines, []))
        works = [work for work in order.scheduled if self._holds(work)] if self.anew else []
        try:
            with book.trial():
                release_works(book, works)
                lines = withdraw_units(order.lines, works)
                joined = (
                    {} if self.anew else {work.warehouse_id: (work.id, work.day) for work in reversed(order.scheduled)}
                )
                want = Want(self.id, self._wanted(lines), self.trigger, {**order.barred, **self.barred}, joined)
                carried = carry_out(self.prepared, want, book, now, strict=self.strict)
                _check_gain(works, carried)
        except _Unchanged:
            return Decision(describe_order(order, order.lines, []))
        return _decide(order, lines, works, carried, self.trigger, self.footing.provenance.actor)

    def _holds(self, work: ScheduledWork) -> bool:
        """Whether all that the work binds was locked."""
        return all(StockKey(sku_id, work.warehouse_id) in self.held for _, sku_id, _ in work.units)

    def _wanted(self, lines: Iterable[LineRow]) -> list[Wanted]:
        skus = self.prepared.skus
        return [
            skus[line.sku_id].want(line.line, line.sku_id, line.backordered, line.part)
            for line in lines
            if line.backordered > 0 and line.sku_id is not None and line.sku_id in skus
        ]


def release_works(book: Book, works: Iterable[ScheduledWork]) -> None:
    """Give back on the book what scheduled work binds: its stock, and its place on the day."""
    for work in works:
        for _, sku_id, units in work.units:
            book.post(Posting(StockKey(sku_id, work.warehouse_id), "committed", "available", units))
        if work.day is not None:
            book.free_day(DayKey(work.warehouse_id, work.day))


def withdraw_units(lines: Iterable[LineRow], works: Iterable[ScheduledWork]) -> list[LineRow]:
    """The lines as they are without these works."""
    units: Counter[int] = Counter()
    for work in works:
        for line, _, count in work.units:
            units[line] += count
    return [line._replace(allocated=line.allocated - units[line.line]) for line in lines]


def withdraw_works(works: Iterable[ScheduledWork]) -> dict[ChangeTable, list[tuple[Any, ...]]]:
    """What becomes of the rows of works that were given back."""
    return {
        CANCELLED: [(work.id,) for work in works],
        WITHDRAWN: [(work.id, line, units) for work in works for line, _, units in work.units],
    }


def _check_gain(works: Sequence[ScheduledWork], carried: Carried) -> None:
    """Raises `_Unchanged` when the same would be promised again, or less."""
    if not works:
        return
    before = {(work.warehouse_id, work.day, line): units for work in works for line, _, units in work.units}
    after = {
        (parcel.site_id, parcel.day, line): units
        for parcel in carried.plan.parcels
        for line, units in parcel.units.items()
    }
    if before == after or sum(after.values()) < sum(before.values()):
        raise _Unchanged


def _decide(
    order: OrderRow, lines: list[LineRow], works: list[ScheduledWork], carried: Carried, trigger: str, actor: str
) -> Decision:
    allocated = carried.allocated
    found = [line._replace(allocated=line.allocated + allocated.get(line.line, 0)) for line in lines]
    for before, after in zip(order.lines, found, strict=True):
        check_line_change(LineCounts(*before[3:7]), LineCounts(*after[3:7]))
    answer = describe_order(order, found, carried.allocations)
    check_order_change(OrderStatus(order.status), OrderStatus(answer["status"]))
    state = (order.id, answer["status"], answer["problem"])
    if not allocated:
        rows = {} if trigger == BACKORDER else carried.rows
        return Decision(answer, rows, changes={STATES: [state]} if answer["problem"] != order.problem else {})
    note = orjson.dumps({"trigger": trigger, "allocated": {str(line): n for line, n in allocated.items()}}).decode()
    written: dict[Any, Any] = {**carried.rows, ORDER_EVENTS: [(order.id, actor, "ALLOCATED", None, note)]}
    return Decision(
        answer,
        written,
        changes={
            **withdraw_works(works),
            **carried.changes,
            LINES: change_lines(order, found),
            STATES: [state],
        },
    )


def change_lines(order: OrderRow, lines: Iterable[LineRow]) -> list[tuple[Any, ...]]:
    """By how many units each line is promised more, or less, than it was."""
    before = {line.line: line.allocated for line in order.lines}
    changed = [(line.line, line.allocated - before[line.line]) for line in lines]
    return [(order.id, line, units) for line, units in changed if units]


def describe_order(order: OrderRow, lines: Iterable[LineRow], allocations: list[tuple[int, int, int, int]]) -> Answer:
    """What an allocation answers: the order as it is then."""
    rows = list(lines)
    status = order_status(LineCounts(*line[3:7]) for line in rows) if rows else order.status
    return {
        "id": str(order.id),
        "status": str(status),
        "problem": explain_waiting(rows),
        "allocations": allocations,
        "waiting": sum(line.backordered for line in rows),
    }


def explain_waiting(lines: Iterable[LineRow]) -> str | None:
    """The order's problem: what of it nothing can fill. None when all is promised."""
    missing = [
        f"{line.name}: {line.backordered} missing ({line.quantity - line.cancelled} ordered)"
        if line.sku_id is not None
        else f"{line.name}: no such SKU, {line.backordered} missing"
        for line in lines
        if line.backordered > 0
    ]
    return "; ".join(missing) or None
