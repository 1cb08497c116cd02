"""Order from a supplier: the warehouse expects it from then on."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.catalog.upsert import check_cost
from app.replenishment.expect_stock import expect_stock
from app.replenishment.read_purchases import answer_purchase
from app.replenishment.set_policy import find_supplier
from app.run_once import Answer, run_once
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.stock import StockKey, check_quantity

_INSERT = """
INSERT INTO purchase_orders (id, supplier_id, warehouse_id, expected_at, reference, note, created_by)
SELECT $1, x.id, $3, coalesce($4, now() + make_interval(days => x.lead_days)), $5, $6, $7
FROM suppliers x WHERE x.id = $2
"""
_INSERT_LINES = """
INSERT INTO purchase_order_lines (purchase_order_id, line, sku_id, quantity, unit_cost, currency)
SELECT $1, g.line - 1, g.sku_id, g.quantity, coalesce(g.unit_cost, s.unit_cost), coalesce(g.currency, s.currency)
FROM unnest($3::int[], $4::int[], $5::numeric[], $6::text[]) WITH ORDINALITY
  AS g (sku_id, quantity, unit_cost, currency, line)
LEFT JOIN supplier_skus s ON s.supplier_id = $2 AND s.sku_id = g.sku_id
"""


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """Without a cost it is the supplier's."""

    sku: str
    quantity: int
    unit_cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PurchaseCreate:
    """`expected_at`: None for the supplier's lead time from now."""

    supplier: str
    warehouse: str
    lines: Sequence[PurchaseLine]
    expected_at: datetime.datetime | None = None
    reference: str | None = None
    note: str | None = None


async def create_purchase(
    state: State, principal: Principal, command: PurchaseCreate, actor: str, call: IdempotentCall | None
) -> Answer:
    """`purchase_order` of the answer is the order, once per key.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, SUPPLIER_NOT_FOUND, then
    for each line INVALID_QUANTITY, INVALID_INPUT, SKU_NOT_FOUND, DUPLICATE_LINE.
    """

    async def decide(connection: Any) -> Answer:
        check_text(command.reference, "reference")
        check_text(command.note, "note")
        check_line_count(len(command.lines))
        house = await state.lookup.find_warehouse(command.warehouse, principal, ("warehouse",))
        supplier_id = await find_supplier(connection, command.supplier)
        assert supplier_id is not None
        skus = await _find_skus(state, command.lines)
        order_id = await insert_purchase(connection, supplier_id, house.id, skus, command, actor)
        return {"purchase_order": await answer_purchase(connection, order_id)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


async def insert_purchase(
    connection: Any,
    supplier_id: int,
    warehouse_id: int,
    skus: Sequence[int],
    command: PurchaseCreate,
    actor: str,
) -> UUID:
    """Write the order, `skus[i]` being of `command.lines[i]`, and what the warehouse expects by it."""
    order_id, lines = uuid7(), command.lines
    await connection.execute(
        _INSERT, order_id, supplier_id, warehouse_id, command.expected_at, command.reference, command.note, actor
    )
    await connection.execute(
        _INSERT_LINES,
        *(order_id, supplier_id, list(skus), [line.quantity for line in lines]),
        [line.unit_cost for line in lines],
        [line.currency for line in lines],
    )
    expected = {StockKey(sku, warehouse_id): line.quantity for sku, line in zip(skus, lines, strict=True)}
    await expect_stock(connection, expected, datetime.datetime.now(datetime.UTC))
    return order_id


async def _find_skus(state: State, lines: Sequence[PurchaseLine]) -> list[int]:
    found = await state.lookup.find_skus(line.sku for line in lines)
    ids: list[int] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        check_quantity(line.quantity, (*path, "quantity"))
        check_cost(line.unit_cost, line.currency, (*path, "unitCost"))
        if line.sku not in found:
            raise sku_not_found(line.sku, (*path, "sku"))
        if found[line.sku] in ids:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {line.sku!r} comes twice: make one line of them.", path)
        ids.append(found[line.sku])
    return ids
