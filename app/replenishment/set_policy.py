"""Say when a SKU is ordered again in a warehouse; it is evaluated at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.catalog.lookup import sku_not_found
from app.replenishment.evaluate_stock import evaluate_stock
from app.replenishment.note_demand import note_demand
from app.replenishment.read_requests import answer_policy
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.replenishment import Policy, check_policy
from domain.stock import StockKey

_SAVE = """
INSERT INTO replenishment_policies AS p (sku_id, warehouse_id, kind, minimum, maximum, reorder_point, order_quantity,
  service_level, cover_days, supplier_id, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (sku_id, warehouse_id) DO UPDATE SET kind = excluded.kind, minimum = excluded.minimum,
  maximum = excluded.maximum, reorder_point = excluded.reorder_point, order_quantity = excluded.order_quantity,
  service_level = excluded.service_level, cover_days = excluded.cover_days, supplier_id = excluded.supplier_id,
  updated_by = excluded.updated_by, updated_at = now(), version = p.version + 1, plan = NULL, planned_on = NULL
"""
_SUPPLIER = "SELECT id FROM suppliers WHERE code = $1"


@dataclass(frozen=True, slots=True)
class PolicySet:
    """`supplier`: code; None: only transfers can be proposed."""

    sku: str
    warehouse: str
    policy: Policy
    supplier: str | None = None


async def set_policy(
    state: State, principal: Principal, command: PolicySet, actor: str, call: IdempotentCall | None
) -> Answer:
    """`policy` of the answer is the policy with its plan, once per key.

    Raises `Refusal` INVALID_INPUT, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, SKU_NOT_FOUND, SUPPLIER_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        check_policy(command.policy)
        house = await state.lookup.find_warehouse(command.warehouse, principal, ("warehouse",))
        sku_id = (await state.lookup.find_skus([command.sku])).get(command.sku)
        if sku_id is None:
            raise sku_not_found(command.sku, ("sku",))
        supplier_id = await find_supplier(connection, command.supplier)
        policy, key = command.policy, StockKey(sku_id, house.id)
        await note_demand(connection, [key])  # before the policy's row is locked, as the relay does
        await connection.execute(
            _SAVE,
            *(*key, policy.kind.value, policy.minimum, policy.maximum, policy.reorder_point, policy.order_quantity),
            *(policy.service_level, policy.cover_days, supplier_id, actor),
        )
        await evaluate_stock(connection, [key], id(state.database))
        return {"policy": await answer_policy(connection, key)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("listings")
    return answer


async def find_supplier(connection: Any, code: str | None) -> int | None:
    """Its id; None for None. Raises `Refusal` SUPPLIER_NOT_FOUND."""
    if code is None:
        return None
    found: int | None = await connection.fetchval(_SUPPLIER, code)
    if found is None:
        raise Refusal(RefusalCode.SUPPLIER_NOT_FOUND, f"There is no supplier {code!r}.", ("supplier",))
    return found
