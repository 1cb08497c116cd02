"""Create or change a supplier: how long it takes, and how each SKU is packed and sold by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.catalog.upsert import check_code, check_cost
from app.replenishment.read_purchases import answer_supplier
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.replenishment import LEAD_DAYS_MAX

LINES_MAX = 1_000
_SAVE = """
INSERT INTO suppliers (code, name, lead_days) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, lead_days = excluded.lead_days RETURNING id
"""
_SAVE_SKUS = """
INSERT INTO supplier_skus (supplier_id, sku_id, pack_size, minimum, unit_cost, currency)
SELECT $1, * FROM unnest($2::int[], $3::int[], $4::int[], $5::numeric[], $6::text[])
ON CONFLICT (supplier_id, sku_id) DO UPDATE SET pack_size = excluded.pack_size, minimum = excluded.minimum,
  unit_cost = excluded.unit_cost, currency = excluded.currency
"""


@dataclass(frozen=True, slots=True)
class SupplierLine:
    """`pack_size`: only multiples of it are sold. `minimum`: units of one order at least."""

    sku: str
    pack_size: int = 1
    minimum: int = 1
    unit_cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class SupplierSet:
    code: str
    name: str
    lead_days: int
    lines: Sequence[SupplierLine] = ()


async def save_supplier(state: State, command: SupplierSet, call: IdempotentCall | None) -> Answer:
    """`supplier` of the answer is the supplier, once per key. SKUs that are not named stay as they are.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, then for each line SKU_NOT_FOUND, DUPLICATE_LINE, INVALID_QUANTITY.
    """

    async def decide(connection: Any) -> Answer:
        _check(command)
        skus = await _find_skus(state, command.lines)
        supplier_id = await connection.fetchval(_SAVE, command.code, command.name, command.lead_days)
        lines = command.lines
        await connection.execute(
            _SAVE_SKUS,
            *(supplier_id, skus, [line.pack_size for line in lines], [line.minimum for line in lines]),
            [line.unit_cost for line in lines],
            [line.currency for line in lines],
        )
        return {"supplier": await answer_supplier(connection, supplier_id)}

    return await run_once(state.database, call, decide)


def _check(command: SupplierSet) -> None:
    check_code(command.code, ("code",))
    if not command.name.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "A name is not empty.", ("name",))
    check_text(command.name, "name", 200)
    if not 0 <= command.lead_days <= LEAD_DAYS_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"leadDays: 0 to {LEAD_DAYS_MAX}.", ("leadDays",))
    if len(command.lines) > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines at once.", ("lines",))


async def _find_skus(state: State, lines: Sequence[SupplierLine]) -> list[int]:
    found = await state.lookup.find_skus(line.sku for line in lines)
    ids: list[int] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        if line.sku not in found:
            raise sku_not_found(line.sku, (*path, "sku"))
        if found[line.sku] in ids:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {line.sku!r} comes twice.", (*path, "sku"))
        if not (1 <= line.pack_size <= 1_000_000 and 1 <= line.minimum <= 1_000_000):
            message = "Pack size and minimum are from 1 to 1,000,000 units."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, path)
        check_cost(line.unit_cost, line.currency, (*path, "unitCost"))
        ids.append(found[line.sku])
    return ids
