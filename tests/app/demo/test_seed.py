"""Seeding: complete, once, whatever interrupts it, and never over another company."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.catalog.save_warehouse import create_warehouse
from app.catalog.upsert import SkuLine, save_skus
from app.demo.assortment import build_assortment
from app.demo.channels import DEMO_CHANNELS
from app.demo.company import plan_stock
from app.demo.report_seed import seed_and_report
from app.demo.seed import seed_demo
from app.demo.tokens import ensure_role_tokens, ensure_traffic_token
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.errors import Refusal
from domain.identity import Role
from tests.app.demo.conftest import ACCOUNT, Interrupted, Steps

_EVERYTHING = """
SELECT (SELECT json_agg(w ORDER BY w.code) FROM (SELECT code, name, kind, latitude, time_zone FROM warehouses) w)::text,
  (SELECT json_agg(s ORDER BY s.code) FROM (SELECT code, title, barcode, unit_cost, volume_ml FROM skus) s)::text,
  (SELECT json_agg(l ORDER BY l.sku, l.house) FROM (
    SELECT s.code AS sku, w.code AS house, available, l.version FROM stock_levels l
    JOIN skus s ON s.id = sku_id JOIN warehouses w ON w.id = warehouse_id) l)::text,
  (SELECT json_agg(l ORDER BY l.channel_id, l.code) FROM (
    SELECT channel_id, s.code, external_id, desired FROM listings JOIN skus s ON s.id = sku_id) l)::text
"""

_SHOP_URL = "SELECT config ->> 'base_url' FROM channels WHERE code = 'shopify'"
LISTINGS = 600
"""At the store, and for who orders directly."""


async def everything(state: State) -> Any:
    return tuple(await state.database.hot.fetchrow(_EVERYTHING))


async def seed(state: State, steps: Steps | None = None) -> bool:
    return await seed_demo(state, {"shopify": ACCOUNT}, steps or Steps())


async def test_the_whole_company_once(demo_state: State, store: httpx.AsyncClient) -> None:
    assert await seed(demo_state)
    before = await everything(demo_state)
    steps = Steps()
    assert not await seed(demo_state, steps)
    assert await everything(demo_state) == before
    assert not any("of" in told.split() for told in steps.told)
    counts = await demo_state.database.hot.fetchrow(
        "SELECT (SELECT count(*) FROM warehouses), (SELECT count(*) FROM skus), (SELECT count(*) FROM listings)"
    )
    assert tuple(counts) == (4, 300, LISTINGS)
    assert (await verify_ledger(demo_state.database)).problems == []
    shelves = (await store.get("/state")).json()
    assert len(shelves["quantities"]) == 300
    assert set(shelves["quantities"].values()) == {0}
    await assert_stock_as_planned(demo_state)


async def assert_stock_as_planned(state: State) -> None:
    """Every level holds what was planned, received from a supplier at the SKU's cost."""
    records = await state.database.hot.fetch(
        "SELECT w.code, s.code, l.available, l.supplier, m.unit_cost, m.reason FROM stock_levels l"
        " JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id"
        " JOIN stock_movements m USING (sku_id, warehouse_id)"
    )
    products = {product.code: product for product in build_assortment()}
    plan = plan_stock(tuple(products.values()))
    assert len(records) == sum(1 for planned in plan.values() for units in planned.values() if units)
    for house, code, available, supplier, cost, reason in records:
        assert (available, supplier) == (plan[house][code], -plan[house][code])
        assert (cost, reason) == (products[code].unit_cost, "OPENING_STOCK")


@pytest.mark.parametrize("reports", [2, 7, 15, 21])
async def test_a_killed_seeding_is_finished_by_the_next(
    demo_state: State, store: httpx.AsyncClient, reports: int
) -> None:
    with pytest.raises(Interrupted):
        await seed(demo_state, Steps(reports))
    assert await seed(demo_state)
    await assert_complete(demo_state)


async def assert_complete(state: State) -> None:
    plan = plan_stock(build_assortment())
    units = await state.database.hot.fetchval("SELECT sum(available) FROM stock_levels")
    assert units == sum(sum(planned.values()) for planned in plan.values())
    assert await state.database.hot.fetchval("SELECT count(*) FROM listings") == LISTINGS
    assert (await verify_ledger(state.database)).problems == []


async def test_two_at_once_are_one_after_the_other(demo_state: State) -> None:
    assert sorted(await asyncio.gather(seed(demo_state), seed(demo_state))) == [False, True]
    await assert_complete(demo_state)


async def test_what_people_changed_stays(demo_state: State) -> None:
    await seed(demo_state)
    await save_skus(demo_state.database, [SkuLine("PEN-BRA", "A pen of our own")], None)
    await seed(demo_state)
    assert await demo_state.database.hot.fetchval("SELECT title FROM skus WHERE code = 'PEN-BRA'") == "A pen of our own"


async def test_another_company_is_left_alone(demo_state: State) -> None:
    await create_warehouse(demo_state.database, {"code": "BER", "name": "Berlin"}, None)
    with pytest.raises(Refusal, match="another company"):
        await seed(demo_state)
    assert await demo_state.database.hot.fetchval("SELECT count(*) FROM skus") == 0


async def test_a_store_that_moved_is_connected_anew(demo_state: State) -> None:
    await seed(demo_state)
    await demo_state.database.hot.execute(
        "UPDATE channels SET config = '{\"base_url\": \"http://127.0.0.1:1\"}' WHERE code = 'shopify'"
    )
    assert await seed(demo_state)
    assert await demo_state.database.hot.fetchval(_SHOP_URL) == ACCOUNT.url
    assert await demo_state.database.hot.fetchval("SELECT count(*) FROM listings") == LISTINGS


async def test_without_a_store_the_company_is_there_and_the_way_to_a_store_is_said(
    demo_state: State, tmp_path: Any
) -> None:
    lines = await seed_and_report(demo_state, tmp_path, Steps())
    assert "4 warehouses, 300 SKUs" in lines[1]
    assert "300 listings" in lines[1], "for who orders directly"
    assert all("`onhand up` without --empty" in line for line in lines[2:])
    assert len(lines) == 2 + len(DEMO_CHANNELS)


async def test_one_token_for_each_role_and_one_for_the_traffic_kept_private_and_used_again(
    demo_state: State, tmp_path: Any
) -> None:
    await seed(demo_state)
    first = await ensure_role_tokens(demo_state, tmp_path, "secret of the admin")
    assert list(first) == [*Role]
    for role, secret in first.items():
        path = tmp_path / "tokens" / role
        assert (path.read_text().strip(), path.stat().st_mode & 0o777) == (secret, 0o600)
    assert await ensure_role_tokens(demo_state, tmp_path, "secret of the admin") == first
    (tmp_path / "sandbox").mkdir()
    await ensure_traffic_token(demo_state, tmp_path)
    limits = await demo_state.database.hot.fetch(
        "SELECT roles[1], w.code FROM tokens JOIN warehouses w ON w.id = ANY(warehouse_ids)"
    )
    assert [tuple(row) for row in limits] == [("PARTNER", "EWR-3PL")]
    scoped = await demo_state.database.hot.fetch("SELECT name, roles, scopes FROM tokens WHERE scopes IS NOT NULL")
    assert [tuple(row) for row in scoped] == [
        ("demo traffic", ["WAREHOUSE", "ECOMMERCE"], ["stock:read", "stock:write", "orders:write"])
    ]
