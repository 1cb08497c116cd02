"""What `onhand up` does, step by step, for people and for scripts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from app.admin_token import ensure_admin_token
from app.settings import load_settings
from app.supervisor import Instance, interrupt_once, ready_line

WATCH_SECONDS = 0.1


def run_up(data_dir: Path, port: int | None, api_processes: int, *, empty: bool, as_json: bool, notes: Console) -> None:
    """Start an instance, say where it is, and run it until told to stop."""
    data_dir = data_dir.absolute()
    status = notes.status("Starting") if notes.is_terminal else None

    def tell(step: str) -> None:
        notes.print(f"• {step}")
        if status is not None:
            status.update(step)

    interrupt_once()
    instance = Instance(data_dir, tell, port, api_processes)
    try:
        if status is not None:
            status.start()
        instance.start()
        os.environ.update({k: v for k, v in instance.environment.items() if k.startswith("ONHAND_")})
        settings = load_settings()
        token_file = data_dir / "admin-token"
        asyncio.run(ensure_admin_token(settings, token_file))
        if status is not None:
            status.stop()
        if as_json:
            sys.stdout.write(ready_line(instance, token_file) + "\n")
            sys.stdout.flush()
        else:
            _say_where(instance, token_file, notes)
        while True:
            instance.watch()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        tell("Stopping")
    finally:
        if status is not None:
            status.stop()
        instance.stop()


def _say_where(instance: Instance, token_file: Path, notes: Console) -> None:
    notes.print(f"\n[bold]Onhand runs at {instance.url}[/bold]")
    notes.print(f"  GraphQL   {instance.url}/graphql")
    notes.print(f"  GraphiQL  {instance.url}/graphiql")
    notes.print(f"  Metrics   {instance.url}/metrics")
    notes.print(f"  Token     {token_file}")
    notes.print("  Ctrl-C stops everything; the data stays.\n")
