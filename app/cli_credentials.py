"""`onhand credentials`: what the keys of ONHAND_SECRET_KEY seal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app.find_instance import find_settings

credentials_app = typer.Typer(help="What is kept encrypted.", no_args_is_help=True)


@credentials_app.command("reseal")
def reseal_credentials_command(
    data_dir: Annotated[Path, typer.Option(help="Folder of a running instance.", envvar="ONHAND_DATA_DIR")] = Path(
        ".onhand"
    ),
) -> None:
    """Seal everything with the first key of ONHAND_SECRET_KEY, so that the others can be dropped.

    Credentials of channels and partners, targets of alerts, contacts of orders. A second run changes nothing. Exit code
    1 when there is something that no key opens.
    """
    from app.channels.reseal_credentials import reseal_credentials
    from app.state import open_state

    async def work() -> Any:
        async with open_state(find_settings(data_dir), "onhand credentials") as state:
            return await reseal_credentials(state)

    out = Console(highlight=False, soft_wrap=True)
    found = asyncio.run(work())
    for table, rows in found.items():
        out.print(f"{table}: {rows.sealed} sealed anew, {rows.current} were already, {rows.lost} no key opens")
    raise typer.Exit(1 if any(rows.lost for rows in found.values()) else 0)
