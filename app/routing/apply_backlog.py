"""Carry out a plan for the backlog: all of it in one transaction, on the work that it was made for, or nothing."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing
from adapters.postgres.orders import OrderRow, see_orders
from app.orders.write_order import ORDER_EVENTS
from app.routing.allocate_order import prepare_order
from app.routing.carry_out import FULFILLMENT_ORDER_LINES, FULFILLMENT_ORDERS, ROUTING_DECISIONS, start_work
from app.routing.explain_moves import check_whole, write_move
from app.routing.fill_order import release_works, withdraw_works
from app.routing.plan_backlog import ORDERS_MAX, SITES_MAX
from app.routing.prepare_routing import Prepared
from app.routing.save_policy import refuse_limited
from app.run_once import Answer, refuse_once
from app.state import State
from app.stock.run_commands import Decision
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.routing.explain_batch import Share
from domain.routing.filter_sites import local_day
from domain.routing.policy import DAYS_AHEAD_MAX
from domain.stock import Book, DayKey, Posting, StockKey

PARCELS_MAX = 50
CANDIDATES_MAX = PARCELS_MAX + SITES_MAX
Work = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class Move:
    """`works`: (id, version) of the scheduled work that is replaced by `parcels`.

    `candidates`: ids of warehouses that were thought of, to be shown beside those chosen.
    """

    order_id: UUID
    works: frozenset[Work]
    parcels: tuple[Share, ...]
    candidates: frozenset[int]


def read_moves(plan: Any) -> list[Move]:
    """Of a plan that `plan_backlog` made. Raises `Refusal` INVALID_INPUT for anything else."""
    try:
        moves = [_read_move(given) for given in plan["moves"]]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise Refusal(RefusalCode.INVALID_INPUT, "This is no plan of routingReoptimize.", ("plan",)) from error
    if not 1 <= len(moves) <= ORDERS_MAX or len({move.order_id for move in moves}) < len(moves):
        raise Refusal(RefusalCode.INVALID_INPUT, f"A plan moves 1 to {ORDERS_MAX} orders, each once.", ("plan",))
    return moves


def _read_move(given: Any) -> Move:
    parcels = tuple(
        Share(
            int(one["warehouse"]),
            datetime.date.fromisoformat(one["day"]),
            {int(line): int(units) for line, units in one["units"].items()},
        )
        for one in given["parcels"]
    )
    houses = {one.site_id for one in parcels}
    if not 1 <= len(parcels) <= PARCELS_MAX or len(houses) < len(parcels):
        raise ValueError("parcels")
    if any(units < 1 for one in parcels for units in one.units.values()) or any(not one.units for one in parcels):
        raise ValueError("units")
    works = frozenset((UUID(work), int(version)) for work, version in given["works"])
    candidates = frozenset(int(one) for one in given.get("candidates", ()))
    if len(candidates) > CANDIDATES_MAX:
        raise ValueError("candidates")
    return Move(UUID(given["order"]), works, parcels, candidates)


@dataclass(slots=True)
class ApplyBacklog:
    """`prepared`: of each order, with its candidates. `posted`: the order of each entry, once decided."""

    moves: Sequence[Move]
    prepared: Mapping[UUID, Prepared]
    stock: frozenset[StockKey]
    places: frozenset[DayKey]
    footing: Footing
    call: IdempotentCall | None
    posted: list[UUID] = field(default_factory=list)
    plans_work: Literal[True] = True

    @property
    def exclusive(self) -> Hashable | None:
        return "backlog"

    def orders(self) -> Iterable[UUID]:
        return [move.order_id for move in self.moves]

    def keys(self) -> Iterable[StockKey]:
        return self.stock

    def days(self) -> Iterable[DayKey]:
        return self.places

    def footing_of(self, index: int) -> Footing:
        return replace(self.footing, document=f"order:{self.posted[index]}")

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Take back all, then promise all.

        Raises `Refusal` STALE_VERSION for a plan that is not of this work any more or against the policy,
        INVALID_QUANTITY for part of a kit, WRONG_STATE for a warehouse or day that takes no more, INSUFFICIENT_STOCK.
        """
        orders = [self._check_move(move, book.locked.get(move.order_id)) for move in self.moves]
        works = [work for order in orders for work in order.scheduled]
        release_works(book, works)
        self.posted = [order.id for order in orders for work in order.scheduled for _ in work.units]
        rows: dict[Any, list[tuple[Any, ...]]] = {
            table: [] for table in (FULFILLMENT_ORDERS, FULFILLMENT_ORDER_LINES, ROUTING_DECISIONS, ORDER_EVENTS)
        }
        for move, order in zip(self.moves, orders, strict=True):
            self._promise(book, now, move, order, rows)
            actor = self.footing.provenance.actor
            rows[ORDER_EVENTS].append((order.id, actor, "ALLOCATED", None, '{"trigger": "REOPTIMIZED"}'))
        rows[ROUTING_DECISIONS] = [
            write_move(self.prepared[order.id], order, move.parcels, book, now, len(orders))
            for move, order in zip(self.moves, orders, strict=True)
        ]
        return Decision({"moved": len(self.moves)}, rows, changes=withdraw_works(works))

    def _check_move(self, move: Move, order: OrderRow | None) -> OrderRow:
        """The plan must be of just the work that is scheduled now, and give every unit of it, kits whole."""
        stale = Refusal(
            RefusalCode.STALE_VERSION, "The backlog has changed since it was planned: plan anew.", ("plan",)
        )
        known = self.prepared.get(move.order_id)
        if order is None or known is None or {(work.id, work.version) for work in order.scheduled} != move.works:
            raise stale
        promised: Counter[int] = Counter()
        for work in order.scheduled:
            for line, sku, units in work.units:
                promised[line] += units
                if sku not in known.skus:
                    raise stale
        planned: Counter[int] = Counter()
        for parcel in move.parcels:
            planned.update(parcel.units)
        if planned != promised:
            raise stale
        check_whole(order, move.parcels)
        return order

    def _promise(
        self, book: Book, now: datetime.datetime, move: Move, order: OrderRow, rows: dict[Any, list[tuple[Any, ...]]]
    ) -> None:
        skus = {line: sku for work in order.scheduled for line, sku, _ in work.units}
        houses = {house.id: house for house, _ in self.prepared[order.id].houses}
        for parcel in move.parcels:
            house = houses.get(parcel.site_id)
            if house is None or house.status != "LIVE":
                raise Refusal(
                    RefusalCode.WRONG_STATE, "A warehouse of the plan does not fill such orders now.", ("plan",)
                )
            ahead = (parcel.day - local_day(now, house.time_zone)).days
            if not 0 <= ahead <= DAYS_AHEAD_MAX:
                raise Refusal(RefusalCode.STALE_VERSION, f"{parcel.day} is over: plan anew.", ("plan",))
            for line, units in parcel.units.items():
                book.post(Posting(StockKey(skus[line], house.id), "available", "committed", units), ("plan",))
                self.posted.append(order.id)
            book.take_day(DayKey(house.id, parcel.day))
            work, release_at = uuid7(), start_work(parcel.day, house, now)
            rows[FULFILLMENT_ORDERS].append(
                (work, order.id, house.id, "SCHEDULED", parcel.day, release_at, order.ship_by)
            )
            rows[FULFILLMENT_ORDER_LINES] += [(work, line, skus[line], units) for line, units in parcel.units.items()]


async def apply_backlog(
    state: State, principal: Principal, plan: Any, provenance: Provenance, call: IdempotentCall | None
) -> Answer:
    """Move what a plan moves, all or nothing; `moved` orders. Once per key.

    Raises `Refusal`: NOT_ALLOWED for a limited token, then INVALID_INPUT, then what `ApplyBacklog.decide` raises.
    """
    try:
        refuse_limited(principal)
        moves = read_moves(plan)
    except Refusal as refusal:
        return await refuse_once(state.database, call, refusal)
    orders = await see_orders(state.database.hot, [move.order_id for move in moves])
    prepared, stock, places = {}, set[StockKey](), set[DayKey]()
    for move in moves:
        order = orders.get(move.order_id)
        if order is None:
            continue
        facts = await prepare_order(state, order, anew=True)
        had = {work.warehouse_id for work in order.scheduled}
        known = {one.site_id for one in move.parcels} | move.candidates | had
        facts = replace(facts, houses=tuple(one for one in facts.houses if one[0].id in known))
        prepared[order.id], here = facts, {house.id for house, _ in facts.houses} | had
        stock |= {StockKey(sku, site) for work in order.scheduled for _, sku, _ in work.units for site in here}
        places |= {DayKey(work.warehouse_id, work.day) for work in order.scheduled if work.day is not None}
        places |= {DayKey(one.site_id, one.day) for one in move.parcels if one.site_id in here}
    footing = Footing(provenance, Remarks("ORDER", reference="routingReoptimize"))
    command = ApplyBacklog(moves, prepared, frozenset(stock), frozenset(places), footing, call)
    answer = await state.combiner.submit(command)
    state.routing.forget()
    return answer
