"""Place an order: allocate every line from one warehouse, in one atomic step, and keep the order whatever happens.

A line that nothing can fill makes the order PARTLY_ALLOCATED or BACKORDERED: a state that people see and settle.
"""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder
from adapters.postgres.documents import DocumentTable
from adapters.postgres.idempotency import IdempotentCall, hash_input
from adapters.postgres.ledger import Footing
from adapters.postgres.rows import RowShape
from app.catalog.lookup import KnownWarehouse
from app.logs import current_request
from app.orders.keep_contact import read_contact, seal_contact
from app.orders.write_order import ORDERS, NewOrder, OrderLine
from app.run_once import Answer
from app.state import State
from app.stock.run_commands import Decision
from domain.distance import measure_distance
from domain.provenance import Provenance, Remarks
from domain.stock import Book, Posting, StockKey

STATUS = [name for name, _ in ORDERS.shape.columns].index("status")
FULFILLMENT_ORDERS = DocumentTable(
    "fulfillment_orders",
    RowShape((("id", "uuid"), ("order_id", "uuid"), ("warehouse_id", "int"), ("status", "text"))),
)
FULFILLMENT_ORDER_LINES = DocumentTable(
    "fulfillment_order_lines",
    RowShape((("fulfillment_order_id", "uuid"), ("line", "int"), ("sku_id", "int"), ("quantity", "int"))),
)


@dataclass(frozen=True, slots=True)
class AllocateOrder:
    """`candidates`: warehouses, the nearest first; when not `ranked`, the one with most available is taken."""

    new: NewOrder
    candidates: tuple[int, ...]
    ranked: bool
    footing: Footing
    call: IdempotentCall | None

    @property
    def exclusive(self) -> Hashable | None:
        return (self.new.channel_id, self.new.order.external_id)

    @property
    def lines(self) -> tuple[OrderLine, ...]:
        return self.new.lines

    def keys(self) -> Iterable[StockKey]:
        return [
            StockKey(line.sku_id, house) for line in self.lines if line.sku_id is not None for house in self.candidates
        ]

    def footing_of(self, index: int) -> Footing:
        return self.footing

    def decide(self, book: Book, now: datetime.datetime) -> Decision:
        """Post what can be filled from available to committed; the rest becomes the order's problem."""
        placed: list[tuple[int, int, int, int]] = []
        problems: list[str] = []
        for index, line in enumerate(self.lines):
            house = None if line.sku_id is None else self._choose(book, line.sku_id, line.sold.quantity)
            if line.sku_id is None or house is None:
                problems.append(self._explain(book, line))
                continue
            book.post(Posting(StockKey(line.sku_id, house), "available", "committed", line.sold.quantity))
            placed.append((index, line.sku_id, house, line.sold.quantity))
        problem = "; ".join(problems) or None
        documents = dict(self.new.record({index: quantity for index, _, _, quantity in placed}, problem))
        status = documents[ORDERS][0][STATUS]
        answer = {"id": str(self.new.id), "status": status, "problem": problem, "allocations": placed}
        works = {house: uuid7() for house in sorted({house for _, _, house, _ in placed})}
        documents[FULFILLMENT_ORDERS] = [(work, self.new.id, house, "SCHEDULED") for house, work in works.items()]
        documents[FULFILLMENT_ORDER_LINES] = [
            (works[house], index, sku, quantity) for index, sku, house, quantity in placed
        ]
        return Decision(answer, documents)

    def _choose(self, book: Book, sku_id: int, quantity: int) -> int | None:
        def available(house: int) -> int:
            return book.balances[StockKey(sku_id, house)]["available"]

        fitting = [house for house in self.candidates if available(house) >= quantity]
        if not fitting:
            return None
        return fitting[0] if self.ranked else max(fitting, key=available)

    def _explain(self, book: Book, line: OrderLine) -> str:
        name, wanted = line.sold.sku or line.sold.title or line.sold.external_id, line.sold.quantity
        if line.sku_id is None:
            return f"{name}: no such SKU, {wanted} missing"
        held = [book.balances[StockKey(line.sku_id, house)]["available"] for house in self.candidates]
        missing = wanted - max(held, default=0)
        return f"{name}: {missing} missing ({wanted} ordered, at most {wanted - missing} in one warehouse)"


async def place_order(
    state: State,
    channel_id: int,
    order: ChannelOrder,
    *,
    order_id: UUID | None = None,
    provenance: Provenance | None = None,
    call: IdempotentCall | None = None,
) -> Answer:
    """Record and allocate the order once; the same external id again answers the first result.

    `order_id`: of the new order; the answer has another `id` when it is on record already. `provenance` and `call`:
    of whoever orders through our own API, where nothing but the key answers twice: a second order of the same
    external id is a unique violation.
    """
    skus = await state.lookup.find_skus(line.sku for line in order.lines if line.sku)
    houses = await _source_warehouses(state, channel_id)
    ranked = order.latitude is not None and order.longitude is not None
    if order.latitude is not None and order.longitude is not None:
        point = (order.latitude, order.longitude)
        houses.sort(key=lambda house: _distance(house, *point))
    if provenance is None:
        who = f"channel:{channel_id}"
        provenance = Provenance(who, None, current_request(), order.external_id)
        call = IdempotentCall(who, order.external_id, "orderPlace", hash_input({"order": order.external_id}))
    lines = tuple(OrderLine(line, skus.get(line.sku) if line.sku else None) for line in order.lines)
    sealed = seal_contact(state.settings, read_contact(order))
    new = NewOrder(order_id or uuid7(), channel_id, order, lines, sealed, provenance.actor)
    footing = Footing(provenance, Remarks("ORDER", reference=order.name), document=f"order:{new.id}")
    command = AllocateOrder(new, tuple(house.id for house in houses), ranked, footing, call)
    return await state.combiner.submit(command)


async def _source_warehouses(state: State, channel_id: int) -> list[KnownWarehouse]:
    records = await state.database.hot.fetch(
        "SELECT warehouse_id FROM channel_warehouses WHERE channel_id = $1", channel_id
    )
    sources = {record[0] for record in records}
    known = (await state.lookup.warehouses()).values()
    return [house for house in known if house.id in sources and house.status == "LIVE"]


def _distance(house: KnownWarehouse, latitude: float, longitude: float) -> float:
    if house.latitude is None or house.longitude is None:
        return float("inf")
    return measure_distance(latitude, longitude, house.latitude, house.longitude)
