"""`onhand replenishment`: what a policy would have done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

replenishment_app = typer.Typer(help="Replenishment policies.", no_args_is_help=True)


@replenishment_app.command("backtest")
def backtest_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV of order lines; .gz is read as is.")],
    lead_days: Annotated[int, typer.Option(min=1, max=60, help="From ordering to having it.")] = 3,
    cover_days: Annotated[int, typer.Option(min=1, max=60, help="How long one order should last.")] = 5,
    service: Annotated[
        list[float] | None, typer.Option(min=0.5, max=0.999, help="The share of order lines to be filled at once.")
    ] = None,
) -> None:
    """Play the computed policy and plain min/max over past sales, each file by itself, and print what they served.

    The first half of a file's days is what both know at the beginning; the second half is judged. Columns: sku,
    quantity, date (ISO 8601), or those of the UCI Online Retail data.
    """
    from app.replenishment.read_sales import SalesFileError, read_sales
    from domain.backtest import compare

    table = Table("file", "policy", "promised", "lines filled", "units filled", "stock", "orders", box=None)
    heads = []
    for path in files:
        try:
            first, past = read_sales([path])
        except (OSError, SalesFileError) as error:
            raise typer.BadParameter(str(error)) from error
        for promise in service or [0.85, 0.90, 0.95, 0.98]:
            found = compare(past, first, lead_days=lead_days, service_level=promise, cover_days=cover_days)
            _add(table, path.name, "computed", f"{promise:.1%}", found.computed)
            if found.as_good is not None:
                _add(table, "", "min/max that fills as many", "", found.as_good)
        _add(table, "", "min/max by rule of thumb", "", found.min_max)
        heads.append(
            f"{path.name}: {found.skus} SKUs with {found.judged_share:.1%} of the order lines, judged on "
            f"{found.days} days from {found.first}; lead time {lead_days} days, orders for {cover_days} days."
        )
    out = Console(highlight=False, width=120)
    out.print(table)
    for head in heads:
        out.print(head)


def _add(table: Table, name: str, policy: str, promise: str, found: Any) -> None:
    filled, units = f"{found.line_fill:.2%}", f"{found.unit_fill:.2%}"
    table.add_row(name, policy, promise, filled, units, f"{found.stock:,.0f}", f"{found.orders:,}")
