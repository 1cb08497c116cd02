"""The `onhand` command: thin, each verb one use case."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Column, Table

from app.cli_credentials import credentials_app
from app.cli_partner import partner_app
from app.cli_replay import replay_app
from app.cli_replenishment import replenishment_app
from app.explain_error import explain_error
from app.find_instance import find_settings
from app.sandboxes import SANDBOXES
from app.settings import Settings, load_settings
from domain.identity import Principal, Role

ROWS_SHOWN = 20
app = typer.Typer(
    help="Onhand: the one place where a company's stock is true.",
    epilog="Begin with `onhand up`: it brings PostgreSQL, Valkey and a demo company to look at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
token_app = typer.Typer(help="Make, list and revoke access tokens.", no_args_is_help=True)
import_app = typer.Typer(help="Bring in data that other systems exported.", no_args_is_help=True)
match_app = typer.Typer(help="Find out what belongs together.", no_args_is_help=True)
sandbox_app = typer.Typer(help="Run a marketplace to develop and test against.", no_args_is_help=True)
schema_app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
PARTS = (
    *(("import", import_app), ("match", match_app), ("token", token_app), ("sandbox", sandbox_app)),
    ("credentials", credentials_app),
    ("partner", partner_app),
    ("replay", replay_app),
    ("schema", schema_app),
    ("replenishment", replenishment_app),
)
for name, part in PARTS:
    app.add_typer(part, name=name)
notes = Console(stderr=True, highlight=False)
out = Console(highlight=False, soft_wrap=True, markup=False)

DataDir = Annotated[
    Path,
    typer.Option(
        help="Folder of a running instance. ONHAND_DATABASE_URL and ONHAND_REDIS_URL, when set, go before it.",
        envvar="ONHAND_DATA_DIR",
    ),
]
DATA_DIR = Path(".onhand")
OPERATOR = Principal("cli", "onhand cli", frozenset({Role.ADMIN}))
"""Whoever may run these commands holds the database anyway."""


def _with_state(settings: Settings, work: Callable[[Any], Awaitable[Any]]) -> Any:
    from app.logs import configure_logs
    from app.state import open_state

    # People read the answer; what a server would log is for those who ask for it.
    configure_logs(
        settings if os.environ.get("ONHAND_LOG_LEVEL") else settings.model_copy(update={"log_level": "error"})
    )

    async def run() -> Any:
        async with open_state(settings, "onhand cli") as state:
            return await work(state)

    return asyncio.run(run())


@app.command()
def up(
    empty: Annotated[bool, typer.Option("--empty", help="Without the demo company.")] = False,
    data_dir: Annotated[
        Path, typer.Option(help="Folder that keeps everything; made if missing.", envvar="ONHAND_DATA_DIR")
    ] = DATA_DIR,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port of the API; when left out 8000, or a free one if that is taken."),
    ] = None,
    api_processes: Annotated[int, typer.Option(min=1, max=64, help="API processes that share the port.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes; they share the work.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
) -> None:
    """Start everything and keep it running until Ctrl-C; the data stays for the next start.

    That is PostgreSQL, Valkey, the API and workers; and without --empty a demo company, with sandbox
    marketplaces and some traffic. When ONHAND_DATABASE_URL or ONHAND_REDIS_URL is set, that server is used instead of
    an own one.
    """
    from app.run_up import run_up

    run_up(data_dir, port, api_processes, workers, empty=empty, as_json=as_json, notes=notes)


@app.command()
def serve() -> None:
    """Run one API process on ONHAND_HOST and ONHAND_PORT."""
    from app.serve import serve as run

    settings = load_settings()
    asyncio.run(_reach_database(settings))
    run(settings)


async def _reach_database(settings: Settings) -> None:
    """Raises what the database says, before a server wraps it in a traceback."""
    from adapters.postgres.database import open_database

    async with open_database(settings.database_url, pool_size=1, hot_pool_size=1, name="onhand serve"):
        pass


@app.command()
def worker() -> None:
    """Run one worker: channels, jobs and sweeps."""
    from app.worker import main as run

    run()


@app.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    from migrations.head import head_revision
    from migrations.run import upgrade

    upgrade(load_settings().owner_database_url)
    out.print(f"The database is at revision {head_revision()}.")


@app.command()
def seed(data_dir: DataDir = DATA_DIR) -> None:
    """Put the demo company into an empty database, or complete it; a second time changes nothing.

    Four warehouses, 300 SKUs and their stock; and sandbox marketplaces that run are filled, connected and linked.
    """
    from app.demo.company import COMPANY
    from app.demo.report_seed import seed_and_report
    from app.progress import Progress

    settings, progress = find_settings(data_dir), Progress(notes)
    try:
        lines = _with_state(settings, lambda state: seed_and_report(state, data_dir.absolute(), progress))
    finally:
        progress.finish()
    for line in (f"{COMPANY}, the demo company:", *lines):
        out.print(line)


@app.command()
def verify(data_dir: DataDir = DATA_DIR) -> None:
    """Replay the ledger against the balances; exit code 1 when they differ."""
    from app.stock.verify_ledger import verify_ledger

    report = _with_state(find_settings(data_dir), lambda state: verify_ledger(state.database))
    for problem in report.problems:
        out.print(problem)
    out.print(f"{report.movements} movements, {report.levels} levels, {len(report.problems)} problems.")
    raise typer.Exit(1 if report.problems else 0)


@import_app.command("shopify-products")
def import_shopify_products(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV that Shopify exports.")],
    warehouse: Annotated[str, typer.Option(metavar="CODE", help="The warehouse that holds the quantities.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, and write nothing.")] = False,
    currency: Annotated[str, typer.Option(metavar="CODE", help="Of the column 'Cost per item'.")] = "EUR",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Bring in the SKUs and the stock of Shopify's product export: all of it, or nothing.

    Bad rows are reported with number and reason, and end it with exit code 1. A second run changes nothing.
    """
    from app.catalog.import_shopify_products import import_products

    report = _with_state(
        find_settings(data_dir),
        lambda state: import_products(state.database, OPERATOR, file, warehouse, dry_run, currency),
    )
    if report.problems:
        for problem in report.problems:
            out.print(f"row {problem.row}: {problem.reason}")
        out.print(f"\n{len(report.problems)} bad rows: nothing was imported.")
        raise typer.Exit(1)
    _show_import(report)


@import_app.command("listings")
def import_listings_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: sku, external_id, location, reference.")],
    channel: Annotated[str, typer.Option(metavar="CODE", help="The channel that lists them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, and write nothing.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Link SKUs to what a channel calls them: the whole file, or nothing.

    `location` may be left out where the channel has one; `reference` is eBay's offer id or Amazon's product type.
    Bad rows are reported with number and reason, and end it with exit code 1. A second run changes nothing.
    """
    from app.channels.import_listings import import_listings

    report = _with_state(
        find_settings(data_dir), lambda state: import_listings(state, OPERATOR, file, channel, dry_run)
    )
    if report.problems:
        for problem in report.problems:
            out.print(f"row {problem.row}: {problem.reason}")
        out.print(f"\n{len(report.problems)} bad rows: nothing was imported.")
        raise typer.Exit(1)
    ending = "would be linked: nothing was written." if dry_run else "linked."
    out.print(f"{report.rows} rows, {report.linked} listings {ending}")


@match_app.command("listings")
def match_listings_command(
    channel: Annotated[str, typer.Option(metavar="CODE", help="The channel that lists them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be linked, and link nothing.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Give up when the channel is not read by then.")] = 3_600,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Link what a channel lists to SKUs of the same code or barcode, and print what people must look at.

    Exit code 1 when there is something to look at.
    """
    from app.channels.match_listings import match_all

    found = _with_state(
        find_settings(data_dir),
        lambda state: match_all(state, OPERATOR, channel, dry_run=dry_run, seconds=seconds),
    )
    table = Table("item", "location", Column("SKU", overflow="fold"), "barcode", "title", "why")
    for item in found["review"]:
        names = ("external_id", "location", "sku", "barcode", "title", "reason")
        table.add_row(*(str(item[name] or "") for name in names))
    if found["review"]:
        out.print(table)
    ending = "would be linked" if dry_run else "linked"
    out.print(f"{found['linked']} {ending}, {found['known']} known, {len(found['review'])} to look at.")
    raise typer.Exit(1 if found["review"] else 0)


def _show_import(report: Any) -> None:
    table = Table("row", Column("SKU", overflow="fold"), "title", "stock", "cost")
    for row in report.rows[:ROWS_SHOWN]:
        cells = [str(row.row), row.sku, row.title, row.quantity, row.unit_cost]
        table.add_row(*("" if cell is None else str(cell) for cell in cells))
    out.print(table, soft_wrap=False)
    if len(report.rows) > ROWS_SHOWN:
        out.print(f"… and {len(report.rows) - ROWS_SHOWN} more.")
    derived = sum(row.derived for row in report.rows)
    out.print(f"{report.skus_created} SKUs created, {report.skus_changed} known before and brought up to date.")
    out.print(f"{derived} without a SKU in the file: their codes come from handle and options.")
    out.print(f"{report.levels_set} stock levels set; the file holds {report.units} units.")
    if report.dry_run:
        out.print("A dry run: nothing was written.")


@token_app.command("create")
def create_token_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who uses it.")],
    role: Annotated[list[Role], typer.Option(metavar="ROLE", help=f"One of {', '.join(Role)}; may be given again.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="Limit it to a scope such as stock:read; may be given again."),
    ] = None,
    warehouse: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Limit it to a warehouse; may be given again.")
    ] = None,
    expires_in_seconds: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="When it ends by itself; never, when left out.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Make a token and print its secret, this once."""
    from app.identity.use_tokens import TokenWanted, make_token

    wanted = TokenWanted(name, role, scope or None, warehouse or None, None, expires_in_seconds)
    made = _with_state(find_settings(data_dir), lambda state: make_token(state, OPERATOR, wanted))
    out.print(made.secret)


@token_app.command("revoke")
def revoke_token_command(
    token_id: Annotated[UUID, typer.Argument(metavar="ID", help="As `onhand token list` shows it.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """End a token for good."""
    from app.identity.use_tokens import withdraw_token

    token = _with_state(find_settings(data_dir), lambda state: withdraw_token(state, OPERATOR, token_id))
    out.print(f"Token {token['name']!r} is revoked.")


@token_app.command("list")
def list_tokens_command(data_dir: DataDir = DATA_DIR) -> None:
    """List tokens, without their secrets."""
    from app.identity.tokens import list_tokens

    async def work(state: Any) -> Any:
        async with state.database.read() as session:
            return await list_tokens(session)

    table = Table(Column("id", no_wrap=True, min_width=36), "name", "roles", "scopes", "expires", "revoked")
    for row in _with_state(find_settings(data_dir), work):
        dates = [str(date or "") for date in (row.expires_at, row.revoked_at)]
        table.add_row(str(row.id), row.name, ", ".join(row.roles), ", ".join(row.scopes or ["all"]), *dates)
    out.print(table)


@schema_app.command("print")
def print_schema_command() -> None:
    """Print the SDL."""
    from api.schema import print_sdl

    sys.stdout.write(print_sdl())


def _add_sandbox(name: str) -> None:
    """`onhand sandbox NAME`: its own arguments, and its own --help."""
    sandbox = SANDBOXES[name]

    @sandbox_app.command(
        name,
        help=sandbox.help,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def run(context: typer.Context) -> None:
        raise typer.Exit(import_module(f"{sandbox.package}.__main__").main(context.args, f"onhand sandbox {name}"))


for name in SANDBOXES:
    _add_sandbox(name)


def main() -> None:
    """Run the command; what can be explained in a sentence is, with exit code 2."""
    try:
        app(prog_name="onhand")
    except Exception as error:
        explanation = explain_error(error)
        if explanation is None:
            raise
        if os.environ.get("ONHAND_LOG_LEVEL") == "debug":
            traceback.print_exc()
        notes.print(f"onhand: {explanation}", style="red", soft_wrap=True, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
