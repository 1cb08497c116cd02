"""Make a SKU a kit: what it is made of is said once, so that orders on record keep their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.catalog.lookup import sku_not_found
from app.channels.relay_stock import recompute_desired
from app.kits.read_kits import answer_kit
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.kits import MARK, Component
from domain.stock import check_quantity

COMPONENTS_MAX = 50
_LOCK = "SELECT FROM skus WHERE id = ANY($1::int[]) ORDER BY id FOR NO KEY UPDATE"
_IS_KIT = "SELECT count(*) FROM kit_components WHERE kit_id = ANY($1::int[])"
_IS_PART = "SELECT count(*) FROM kit_components WHERE component_id = $1"
_HELD = """
SELECT count(*) FROM stock_levels WHERE sku_id = $1
  AND available + reserved + committed + damaged + quality_control + in_transit + incoming > 0
"""
_INSERT = "INSERT INTO kit_components (kit_id, component_id, quantity) SELECT $1, * FROM unnest($2::int[], $3::int[])"


async def set_kit(state: State, sku: str, components: Sequence[Component], call: IdempotentCall | None) -> Answer:
    """`kit` of the answer is the kit, once per key. Its listings follow the components from then on.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, SKU_NOT_FOUND, for each line INVALID_QUANTITY, SKU_NOT_FOUND,
    DUPLICATE_LINE, then INVALID_INPUT for a kit within a kit, WRONG_STATE for a SKU that has stock or is a kit.
    """

    async def decide(connection: Any) -> Answer:
        kit_id, ids = await _resolve(state, sku, components)
        await connection.execute(_LOCK, sorted([kit_id, *ids]))
        await _check(connection, kit_id, ids)
        await connection.execute(_INSERT, kit_id, ids, [part.quantity for part in components])
        await recompute_desired(connection, [kit_id])
        return {"kit": await answer_kit(connection, kit_id, None)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("push")
    return answer


async def _resolve(state: State, sku: str, components: Sequence[Component]) -> tuple[int, list[int]]:
    if not components:
        raise Refusal(RefusalCode.INVALID_INPUT, "A kit is made of something: give its components.", ("components",))
    if len(components) > COMPONENTS_MAX:
        message = f"A kit has at most {COMPONENTS_MAX} components."
        raise Refusal(RefusalCode.TOO_MANY_LINES, message, ("components",))
    found = await state.lookup.find_skus([sku, *(part.sku for part in components)])
    if sku not in found:
        raise sku_not_found(sku, ("sku",))
    ids: list[int] = []
    for index, part in enumerate(components):
        path = ("components", str(index))
        check_quantity(part.quantity, (*path, "quantity"))
        if part.sku not in found:
            raise sku_not_found(part.sku, (*path, "sku"))
        if MARK in part.sku or MARK in sku:
            raise Refusal(RefusalCode.INVALID_INPUT, f"Codes in kits have no {MARK}.", (*path, "sku"))
        if found[part.sku] in ids:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {part.sku!r} comes twice.", (*path, "sku"))
        ids.append(found[part.sku])
    return found[sku], ids


async def _check(connection: Any, kit_id: int, ids: Sequence[int]) -> None:
    if kit_id in ids or await connection.fetchval(_IS_KIT, list(ids)) or await connection.fetchval(_IS_PART, kit_id):
        raise Refusal(RefusalCode.INVALID_INPUT, "A kit is not part of a kit: name what is on the shelf.", ("sku",))
    if await connection.fetchval(_IS_KIT, [kit_id]):
        message = "It is a kit already: orders on record rely on what it is made of. Make a new SKU."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("sku",))
    if await connection.fetchval(_HELD, kit_id):
        message = "It has stock of its own, and a kit has none: adjust that to its components first."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("sku",))
