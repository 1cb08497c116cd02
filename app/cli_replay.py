"""`onhand replay`: real orders through the doors of channel orders."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from app.find_instance import find_settings

replay_app = typer.Typer(help="Replay real orders.", no_args_is_help=True)
PROBLEMS_SHOWN = 20


@replay_app.command("online-retail")
def replay_online_retail(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV of UCI Online Retail, or its .gz.")
    ],
    days: Annotated[int | None, typer.Option(min=1, help="So many days of the file; all of it if left out.")] = None,
    speed: Annotated[
        float | None, typer.Option(min=1, help="Times faster than it happened; as fast as it goes if left out.")
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Folder of a running instance.", envvar="ONHAND_DATA_DIR")] = Path(
        ".onhand"
    ),
) -> None:
    """Replay a gift retailer's invoices as channel orders, and its C-invoices as what they cancel.

    It makes three warehouses, four channels, and a stock that is short on purpose; a second run changes nothing. Exit
    code 1 when something does not add up.
    """
    from app.logs import configure_logs
    from app.progress import Progress
    from app.replay.replay_retail import replay_retail
    from app.replay.report_retail import report_retail
    from app.state import open_state

    settings, progress = find_settings(data_dir), Progress(Console(stderr=True, highlight=False))
    configure_logs(settings.model_copy(update={"log_level": "error"}))

    async def work() -> Any:
        async with open_state(settings, "onhand replay") as state:
            replayed = await replay_retail(state, file, days, speed, progress)
            progress.step("Checking what is on record")
            return await report_retail(state, replayed)

    try:
        report = asyncio.run(work())
    finally:
        progress.finish()
    _show(report)
    raise typer.Exit(1 if report.problems else 0)


def _show(report: Any) -> None:
    out = Console(highlight=False, soft_wrap=True, markup=False)
    table = Table("what", Column("", justify="right"), box=None, show_header=False)
    for what, amount in report.lines:
        table.add_row(what, amount)
    out.print(table)
    for problem in report.problems[:PROBLEMS_SHOWN]:
        out.print(problem)
    if report.problems:
        out.print(f"{len(report.problems)} problems.")
