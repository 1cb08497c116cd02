"""A catalogue and stock through the use cases, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.catalog.upsert import SkuLine, upsert_skus
from app.state import State
from app.stock.move_stock import MoveLine, prepare_movement
from app.stock.run_commands import run_commands
from domain.identity import Principal, Role
from domain.provenance import Provenance, Remarks

TESTER = Principal("test", "test", frozenset({Role.ADMIN}))


async def make_catalog(state: State, warehouses: Sequence[str], skus: int | Sequence[str]) -> None:
    """Warehouses by code, and SKUs by code (a number of them: `SKU-0`…), without stock."""
    codes = [f"SKU-{n}" for n in range(skus)] if isinstance(skus, int) else list(skus)
    async with state.database.hot.acquire() as connection, connection.transaction():
        for code in warehouses:
            await connection.execute("INSERT INTO warehouses (code, name) VALUES ($1, $1)", code)
        for start in range(0, len(codes), 1_000):
            await upsert_skus(connection, [SkuLine(code) for code in codes[start : start + 1_000]])
    await state.lookup.reload_warehouses()


async def add_stock(state: State, warehouse: str, units: Mapping[str, int]) -> None:
    """Adjust available by `units`, which may be negative."""
    lines = [MoveLine(sku, change) for sku, change in units.items()]
    command = await prepare_movement(
        state.lookup, TESTER, "adjust", warehouse, lines, Provenance("test"), Remarks("TEST"), None
    )
    (result,) = await run_commands(state.database, [command])
    if isinstance(result, Exception):
        raise result
    state.doorbell.ring("feed")
