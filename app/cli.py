"""The `onhand` command: thin, each verb one use case."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from app.embedded import EmbeddedError
from app.settings import SettingError, load_settings
from domain.errors import Fault, Refusal

app = typer.Typer(
    help="Onhand: the one place where a company's stock is true.", no_args_is_help=True, add_completion=False
)
token_app = typer.Typer(help="Make, list and revoke access tokens.", no_args_is_help=True)
schema_app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
app.add_typer(token_app, name="token")
app.add_typer(schema_app, name="schema")
notes = Console(stderr=True, highlight=False)
out = Console(highlight=False, soft_wrap=True)


def _with_state(work: Callable[[Any], Awaitable[Any]]) -> Any:
    from app.logs import configure_logs
    from app.state import open_state

    settings = load_settings()
    configure_logs(settings)

    async def run() -> Any:
        async with open_state(settings, "onhand cli") as state:
            return await work(state)

    return asyncio.run(run())


@app.command()
def up(
    empty: Annotated[bool, typer.Option("--empty", help="No demo company: an empty instance.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.", envvar="ONHAND_DATA_DIR")] = Path(
        ".onhand"
    ),
    port: Annotated[int | None, typer.Option(help="Port of the API; 8000 or a free one when left out.")] = None,
    api_processes: Annotated[int, typer.Option(min=1, max=64, help="API processes sharing the port.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
) -> None:
    """Start PostgreSQL, Valkey, the API and the worker, and keep them running until Ctrl-C."""
    from app.run_up import run_up

    run_up(data_dir, port, api_processes, empty=empty, as_json=as_json, notes=notes)


@app.command()
def serve() -> None:
    """Run one API process on ONHAND_HOST and ONHAND_PORT."""
    from app.serve import serve as run

    run(load_settings())


@app.command()
def worker() -> None:
    """Run one worker: channels, jobs and sweeps."""
    from app.worker import main as run

    run()


@app.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    from migrations.run import head_revision, upgrade

    upgrade(load_settings().owner_database_url)
    out.print(f"The database is at revision {head_revision()}.")


@app.command()
def verify() -> None:
    """Replay the ledger against the balances; exit code 1 when they differ."""
    from app.stock.verify_ledger import verify_ledger

    report = _with_state(lambda state: verify_ledger(state.database))
    for problem in report.problems:
        out.print(problem)
    out.print(f"{report.movements} movements, {report.levels} levels, {len(report.problems)} problems.")
    raise typer.Exit(1 if report.problems else 0)


def _operator() -> Any:
    """Whoever may run this command holds the database anyway."""
    from domain.identity import Principal, Role

    return Principal("cli", "onhand cli", frozenset({Role.ADMIN}))


@token_app.command("create")
def create_token_command(
    name: Annotated[str, typer.Argument(help="Who uses it.")],
    role: Annotated[list[str], typer.Option(help="ADMIN, OPERATIONS, WAREHOUSE, …; may be given again.")],
    scope: Annotated[list[str] | None, typer.Option(help="Limit to a scope such as stock:read.")] = None,
    warehouse: Annotated[list[str] | None, typer.Option(help="Limit to a warehouse code.")] = None,
    expires_in_seconds: Annotated[int | None, typer.Option(help="Never, when left out.")] = None,
) -> None:
    """Make a token and print its secret, this once."""
    from app.identity.use_tokens import TokenWanted, make_token
    from domain.identity import Role

    unknown = [given for given in role if given not in Role.__members__]
    if unknown:
        raise SettingError(f"There is no role {unknown[0]!r}: use one of {', '.join(Role)}.")

    async def work(state: Any) -> Any:
        roles = [Role(given) for given in role]
        wanted = TokenWanted(name, roles, scope or None, warehouse or None, None, expires_in_seconds)
        return await make_token(state, _operator(), wanted)

    out.print(_with_state(work).secret)


@token_app.command("revoke")
def revoke_token_command(token_id: Annotated[UUID, typer.Argument(help="As `token list` shows it.")]) -> None:
    """End a token for good."""
    from app.identity.use_tokens import withdraw_token

    token = _with_state(lambda state: withdraw_token(state, _operator(), token_id))
    out.print(f"Token {token['name']!r} is revoked.")


@token_app.command("list")
def list_tokens_command() -> None:
    """List tokens, without their secrets."""
    from app.identity.tokens import list_tokens

    async def work(state: Any) -> Any:
        async with state.database.read() as session:
            return await list_tokens(session)

    table = Table("id", "name", "roles", "scopes", "expires", "revoked")
    for row in _with_state(work):
        dates = [str(date or "") for date in (row.expires_at, row.revoked_at)]
        table.add_row(str(row.id), row.name, ", ".join(row.roles), ", ".join(row.scopes or ["all"]), *dates)
    out.print(table)


@schema_app.command("print")
def print_schema_command() -> None:
    """Print the SDL."""
    from api.schema import print_sdl

    sys.stdout.write(print_sdl())


def main() -> None:
    """Run the command; what can be explained in a sentence is, with exit code 2."""
    try:
        app()
    except (SettingError, EmbeddedError, Refusal, Fault) as error:
        notes.print(f"onhand: {error}", style="red", soft_wrap=True)
    except (asyncpg.PostgresError, DBAPIError) as error:
        cause = getattr(error, "orig", None) or error
        notes.print(f"onhand: PostgreSQL refused: {str(cause).splitlines()[0]}.", style="red", soft_wrap=True)
    except OSError as error:
        if os.environ.get("ONHAND_LOG_LEVEL") == "debug":
            traceback.print_exc()
        notes.print(f"onhand: {error}. Is the server it names running?", style="red", soft_wrap=True)
    else:
        return
    sys.exit(2)


if __name__ == "__main__":
    main()
