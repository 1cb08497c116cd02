"""A person asks for stock: the same as what the evaluation proposes, and decided on in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.replenishment.find_surplus import find_surplus
from app.replenishment.read_requests import answer_request
from app.replenishment.set_policy import find_supplier
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.replenishment import RequestSource
from domain.stock import StockKey, check_quantity

_OPEN = """
SELECT FROM replenishment_requests WHERE sku_id = $1 AND warehouse_id = $2 AND status = 'PROPOSED'
"""
_SUPPLIED = "SELECT supplier_id FROM replenishment_policies WHERE sku_id = $1 AND warehouse_id = $2"
_INSERT = """
INSERT INTO replenishment_requests
  (id, sku_id, warehouse_id, source, source_warehouse_id, supplier_id, quantity, note, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_LOCK = "SELECT FROM warehouses WHERE id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class RequestCreate:
    """`supplier`: code; None: a warehouse with a surplus, else the supplier of the line's policy."""

    sku: str
    warehouse: str
    quantity: int
    supplier: str | None = None
    note: str | None = None


async def create_request(
    state: State, principal: Principal, command: RequestCreate, actor: str, call: IdempotentCall | None
) -> Answer:
    """`request` of the answer is the request, once per key.

    Raises `Refusal` INVALID_QUANTITY, INVALID_INPUT, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, SKU_NOT_FOUND,
    SUPPLIER_NOT_FOUND, ALREADY_EXISTS while another is proposed.
    """

    async def decide(connection: Any) -> Answer:
        check_quantity(command.quantity, ("quantity",))
        check_text(command.note, "note")
        house = await state.lookup.find_warehouse(command.warehouse, principal, ("warehouse",))
        sku_id = (await state.lookup.find_skus([command.sku])).get(command.sku)
        if sku_id is None:
            raise sku_not_found(command.sku, ("sku",))
        key = StockKey(sku_id, house.id)
        await connection.execute(_LOCK, house.id)
        if await connection.fetchrow(_OPEN, *key) is not None:
            message = "There is a proposal for this SKU and warehouse: decide on that one."
            raise Refusal(RefusalCode.ALREADY_EXISTS, message, ("sku",))
        source, supplier_id = await _find_source(connection, key, command)
        kind = RequestSource.PURCHASE if source is None else RequestSource.TRANSFER
        request_id = uuid7()
        await connection.execute(
            _INSERT, request_id, *key, kind.value, source, supplier_id, command.quantity, command.note, actor
        )
        return {"request": await answer_request(connection, request_id)}

    return await run_once(state.database, call, decide)


async def _find_source(connection: Any, key: StockKey, command: RequestCreate) -> tuple[int | None, int | None]:
    """A warehouse or a supplier."""
    if command.supplier is not None:
        return None, await find_supplier(connection, command.supplier)
    source = await find_surplus(connection, key, command.quantity)
    if source is not None:
        return source, None
    supplier_id = await connection.fetchval(_SUPPLIED, *key)
    if supplier_id is None:
        message = "No warehouse can spare that, and the line has no supplier: name one."
        raise Refusal(RefusalCode.SUPPLIER_NOT_FOUND, message, ("supplier",))
    return None, supplier_id
