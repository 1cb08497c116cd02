"""The import of Shopify's product export, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.catalog.import_shopify_products import ImportReport, import_products
from app.catalog.save_warehouse import create_warehouse
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.errors import Refusal
from domain.identity import Principal, Role

ADMIN = Principal("test", "test", frozenset({Role.ADMIN}))
HEADING = "Handle,Title,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Barcode,Cost per item\n"


@pytest.fixture
async def house(state: State) -> str:
    await create_warehouse(state.database, {"code": "BER", "name": "Berlin"}, None)
    return "BER"


async def run(state: State, path: Path, dry_run: bool = False) -> ImportReport:
    return await import_products(state.database, ADMIN, path, "BER", dry_run)


async def stock(state: State) -> dict[str, int]:
    rows = await state.database.hot.fetch("SELECT code, available FROM stock_levels JOIN skus ON id = sku_id")
    return {row[0]: row[1] for row in rows}


def write(path: Path, *lines: str) -> Path:
    path.write_text(HEADING + "".join(line + "\n" for line in lines))
    return path


@pytest.mark.usefixtures("house")
async def test_twice_is_once(state: State, tmp_path: Path):
    path = write(tmp_path / "p.csv", "pot,Pot,Small,,3,111,2.50", ",,Large,,4,,", "mug,Mug,,M-1,,,")
    first, second = await run(state, path), await run(state, path)
    assert (first.skus_created, first.skus_changed, first.levels_set, first.units) == (3, 0, 2, 7)
    assert (second.skus_created, second.skus_changed, second.levels_set) == (0, 3, 0)
    assert await stock(state) == {"pot:small": 3, "pot:large": 4}
    await run(state, write(tmp_path / "q.csv", "pot,Pot,Small,,1,111,2.50"))
    assert await stock(state) == {"pot:small": 1, "pot:large": 4}
    assert (await verify_ledger(state.database)).problems == []


@pytest.mark.usefixtures("house")
async def test_nothing_is_half_imported(state: State, tmp_path: Path):
    report = await run(state, write(tmp_path / "p.csv", "pot,Pot,,A,3,,", "mug,Mug,,B,-1,,"))
    assert [(problem.row) for problem in report.problems] == [3]
    assert await state.database.hot.fetchval("SELECT count(*) FROM skus") == 0


@pytest.mark.usefixtures("house")
async def test_a_barcode_of_another_sku_is_a_problem_of_its_row(state: State, tmp_path: Path):
    await run(state, write(tmp_path / "p.csv", "pot,Pot,,A,3,111,"))
    report = await run(state, write(tmp_path / "q.csv", "cup,Cup,,C,1,,", "mug,Mug,,B,1,111,"))
    assert [(problem.row, "'A'" in problem.reason) for problem in report.problems] == [(3, True)]
    assert await stock(state) == {"A": 3}


@pytest.mark.usefixtures("house")
async def test_a_dry_run_counts_and_writes_nothing(state: State, tmp_path: Path):
    report = await run(state, write(tmp_path / "p.csv", "pot,Pot,,A,3,,"), dry_run=True)
    assert (report.dry_run, report.skus_created, report.levels_set, report.problems) == (True, 1, 1, ())
    assert await state.database.hot.fetchval("SELECT count(*) FROM skus") == 0
    assert await stock(state) == {}


@pytest.mark.usefixtures("house")
async def test_more_lines_than_one_batch(state: State, tmp_path: Path):
    lines = (f"p{n},P {n},,SKU-{n},{n},," for n in range(2_100))
    report = await run(state, write(tmp_path / "p.csv", *lines))
    assert (report.skus_created, report.levels_set) == (2_100, 2_099)
    assert (await stock(state))["SKU-2099"] == 2_099


@pytest.mark.usefixtures("house")
async def test_the_warehouse_and_the_encoding_are_checked_first(state: State, tmp_path: Path):
    path = tmp_path / "p.csv"
    path.write_bytes(HEADING.encode() + b"pot,P\xf6t,,A,3,,\n")
    with pytest.raises(Refusal, match="UTF-8"):
        await run(state, path)
    with pytest.raises(Refusal, match="no warehouse"):
        await import_products(state.database, ADMIN, path, "MARS", False)


@pytest.mark.usefixtures("house")
async def test_a_real_export(state: State):
    path = Path(__file__).parents[2].parent / "shared" / "data" / "shopify-products" / "home-and-garden.csv"
    if not path.is_file():
        pytest.skip("../shared/data is not here")
    report = await run(state, path)
    assert (report.problems, report.skus_created, report.units) == ((), 21, 65)
    assert (await stock(state))["clay-plant-pot:large"] == 3
