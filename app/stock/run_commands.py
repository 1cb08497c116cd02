"""Run stock commands together in one transaction: lock the union of rows, decide one by one, write as sets."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast
from uuid import UUID

from adapters.postgres.database import Database, begin_batch
from adapters.postgres.days import free_days, lock_days, take_days
from adapters.postgres.documents import Changes, Documents, write_changes
from adapters.postgres.idempotency import IdempotentCall, read_answers, write_answers
from adapters.postgres.ledger import Footing, lock_rows, write_book
from adapters.postgres.orders import lock_orders
from app.run_once import Answer, keep_answer, revive_answer
from app.transact import rerun
from domain.errors import Refusal
from domain.stock import Book, DayKey, StockKey

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Decision:
    """What a command decided: its answer, and the rows of its own documents."""

    answer: Answer
    documents: Documents = field(default_factory=dict)
    lists_movements: bool = False
    """Whether the ids of its movements go into the answer, as `movements`."""
    changes: Changes = field(default_factory=dict)
    """Rows of its documents that are there already, with what becomes of them."""


class StockCommand(Protocol):
    """A change of stock whose rows are known before it decides."""

    @property
    def call(self) -> IdempotentCall | None: ...
    @property
    def footing(self) -> Footing: ...
    @property
    def exclusive(self) -> Hashable | None: ...
    def keys(self) -> Iterable[StockKey]: ...
    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Post on the book and answer. Raises `Refusal` before anything that must not be."""
        ...

    def footing_of(self, index: int) -> Footing:
        """The footing of the command's `index`-th entry."""
        ...


class WorkCommand(StockCommand, Protocol):
    """A stock command that plans work: it takes places on days of warehouses, and may change an order on record."""

    plans_work: Literal[True]

    def orders(self) -> Iterable[UUID]:
        """Orders on record that it changes; their rows are locked before all others."""
        ...

    def days(self) -> Iterable[DayKey]:
        """Days with a limit that it may take a place on, and those on which it may give one back."""
        ...


async def run_commands(database: Database, commands: Sequence[StockCommand]) -> list[Answer | Exception]:
    """Run `commands` in one transaction, with an answer or a refusal for each.

    Reruns the whole batch in a fresh transaction on a deadlock, a serialization failure or an idempotency race.
    """

    async def once() -> list[Answer | Exception]:
        async with begin_batch(database) as connection:
            return await _run_once(connection, commands)

    return await rerun(once)


async def run_alone(connection: Any, command: StockCommand) -> Answer:
    """One command in the caller's transaction, which keeps the answer itself. Raises its `Refusal`."""
    assert command.call is None
    result = (await _decide_and_write(connection, [(0, command)]))[0]
    if isinstance(result, Exception):
        raise result
    return result


async def _run_once(connection: Any, commands: Sequence[StockCommand]) -> list[Answer | Exception]:
    kept = await read_answers(connection, [command.call for command in commands if command.call is not None])
    results: dict[int, Answer | Exception] = {
        index: revive_answer(kept[command.call])
        for index, command in enumerate(commands)
        if command.call is not None and command.call in kept
    }
    fresh = [(index, command) for index, command in enumerate(commands) if index not in results]
    if fresh:
        results |= await _decide_and_write(connection, fresh)
    return [results[index] for index in range(len(commands))]


async def _decide_and_write(
    connection: Any, fresh: Sequence[tuple[int, StockCommand]]
) -> dict[int, Answer | Exception]:
    book = await _lock(connection, [command for _, command in fresh])
    now = datetime.datetime.now(datetime.UTC)
    results: dict[int, Answer | Exception] = {}
    decisions: list[tuple[Decision, int, int]] = []
    footings: list[Footing] = []
    for index, command in fresh:
        try:
            with book.trial() as mark:
                decision = command.decide(book, now)
        except Exception as error:
            results[index] = error
            continue
        results[index] = decision.answer
        decisions.append((decision, mark, len(book.entries)))
        footings.extend(command.footing_of(offset) for offset in range(len(book.entries) - mark))
    documents = _gather(decision.documents for decision, _, _ in decisions)
    movement_ids = await write_book(connection, book, footings, now, documents)
    await free_days(connection, book.freed)
    await take_days(connection, book.taken)
    await write_changes(connection, _gather(decision.changes for decision, _, _ in decisions))
    for decision, start, end in decisions:
        if decision.lists_movements:
            decision.answer["movements"] = movement_ids[start:end]
    await write_answers(connection, _answers_to_keep(fresh, results))
    return results


async def _lock(connection: Any, commands: Sequence[StockCommand]) -> Book:
    """In the one order that everybody locks in: orders, stock, days."""
    works = [cast(WorkCommand, command) for command in commands if getattr(command, "plans_work", False)]
    orders = await lock_orders(connection, {order_id for command in works for order_id in command.orders()})
    book = await lock_rows(connection, (key for command in commands for key in command.keys()))  # noqa: SIM118
    book.locked.update(cast(Mapping[Hashable, Any], orders))
    book.days = await lock_days(connection, {key for command in works for key in command.days()})
    return book


def _gather(given: Iterable[Mapping[K, Sequence[tuple[Any, ...]]]]) -> dict[K, list[tuple[Any, ...]]]:
    gathered: dict[K, list[tuple[Any, ...]]] = defaultdict(list)
    for documents in given:
        for table, rows in documents.items():
            gathered[table].extend(rows)
    return gathered


def _answers_to_keep(
    fresh: Sequence[tuple[int, StockCommand]], results: dict[int, Answer | Exception]
) -> list[tuple[IdempotentCall, Any]]:
    kept: list[tuple[IdempotentCall, Any]] = []
    for index, command in fresh:
        result = results[index]
        if command.call is None or not isinstance(result, dict | Refusal):
            continue
        if isinstance(result, Refusal) and not command.call.keeps_refusals:
            continue
        kept.append((command.call, keep_answer(result)))
    return kept
