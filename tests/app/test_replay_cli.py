"""`onhand replay`, as it is typed: what it says, what it leaves, and when it ends with 1."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.postgres.database import open_database
from app.settings import Settings
from tests.app.conftest import Run

ROWS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536366,22633,HAND WARMER,4,2010-12-01 08:28:00,1.85,17851.0,France
C536367,22633,HAND WARMER,-1,2010-12-01 09:00:00,1.85,17851.0,France
536368,POST,POSTAGE,1,2010-12-01 09:10:00,18.00,17851.0,France
536369,22633,HAND WARMER,2,2010-12-02 09:10:00,1.85,17852.0,Germany
"""


def test_a_replay_says_what_became_of_every_invoice_and_a_second_one_changes_nothing(
    on_database: Run, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "retail.csv"
    file.write_text(ROWS)
    call = ("replay", "online-retail", str(file), "--days", "1", "--speed", "100000")
    code, said = on_database(*call)
    assert code == 0, said
    for words in (
        "invoices in the file 4",
        "sales, taken as orders 2",
        "of orders in the file 1 (1 units)",
        "without goods, left out 1",
        "units ordered 16",
        "cancelled 1",
        "SKUs oversold in a warehouse 0",
        ", 0 problems",
    ):
        assert words in said, said
    assert on_database("verify")[0] == 0
    movements = asyncio.run(count(settings))
    assert movements > 0
    assert on_database(*call)[0] == 0
    assert asyncio.run(count(settings)) == movements


def test_a_replay_ends_with_1_when_what_is_on_record_is_not_what_was_sold(
    on_database: Run, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "retail.csv"
    file.write_text(ROWS)
    call = ("replay", "online-retail", str(file))
    assert on_database(*call)[0] == 0
    asyncio.run(sell_one_more(settings))
    code, said = on_database(*call)
    assert code == 1
    assert "18 units sold, but 19 ordered on record." in said


def test_a_replay_of_another_file_says_what_is_missing(on_database: Run, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    code, said = on_database("replay", "online-retail", str(file))
    assert (code, "other.csv has no column InvoiceNo" in said, "Traceback" in said) == (2, True, False)


async def count(settings: Settings) -> int:
    async with open_database(settings.database_url, pool_size=1, hot_pool_size=1, name="tests") as database:
        return int(await database.hot.fetchval("SELECT count(*) FROM stock_movements"))


async def sell_one_more(settings: Settings) -> None:
    """Behind everybody's back."""
    async with open_database(settings.database_url, pool_size=1, hot_pool_size=1, name="tests") as database:
        await database.hot.execute("UPDATE order_lines SET quantity = quantity + 1 WHERE quantity = 2")
