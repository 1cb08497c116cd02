"""Real orders through the doors of channel orders: the short form of the replay of a month."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from app.progress import Progress
from app.replay.replay_retail import replay_retail
from app.replay.report_retail import report_retail
from app.state import State
from domain.online_retail import BadRow

DAYS = 1


@pytest.fixture
def progress() -> Progress:
    return Progress(Console(file=io.StringIO()))


@pytest.fixture(scope="session")
def month() -> Path:
    file = Path(__file__).parents[3] / "shared" / "data" / "online-retail" / "2010-12.csv.gz"
    if not file.is_file():
        pytest.skip("../shared/data/online-retail is not here")
    return file


async def test_a_day_of_real_orders_is_accounted_for_and_nothing_is_oversold(
    state: State, month: Path, progress: Progress
) -> None:
    replayed = await replay_retail(state, month, DAYS, None, progress)
    report = await report_retail(state, replayed)
    assert report.problems == []
    told = dict(report.lines)
    assert told["invoices in the file"] == "143"
    assert told["SKUs oversold in a warehouse"] == "0"
    assert int(told["  backordered"]) > 0
    assert int(told["  allocated"]) > int(told["  backordered"])
    assert int(told["orders split over warehouses"].split()[0]) > 0
    movements = await state.database.hot.fetchval("SELECT count(*) FROM stock_movements")
    again = await report_retail(state, await replay_retail(state, month, DAYS, None, progress))
    assert again.problems == []
    assert await state.database.hot.fetchval("SELECT count(*) FROM stock_movements") == movements


async def test_another_file_is_refused(state: State, tmp_path: Path, progress: Progress) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(BadRow, match="no column InvoiceNo"):
        await replay_retail(state, file, None, None, progress)
