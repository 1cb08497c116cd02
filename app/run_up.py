"""What `onhand up` does, step by step, for people and for scripts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from app.admin_token import ensure_admin_token
from app.demo.start_demo import Demo, start_demo
from app.find_instance import leave_instance
from app.progress import Progress
from app.settings import load_settings
from app.show_instance import ready_line, show_instance
from app.supervisor import Instance, interrupt_once

WATCH_SECONDS = 0.1
PROXIES = ("NO_PROXY", "no_proxy")


def run_up(
    data_dir: Path,
    port: int | None,
    api_processes: int,
    workers: int,
    *,
    empty: bool,
    as_json: bool,
    notes: Console,
) -> None:
    """Start an instance, with the demo company unless `empty`, say where it is, and run it until told to stop."""
    data_dir = data_dir.absolute()
    progress = Progress(notes)
    interrupt_once()
    instance = Instance(data_dir, progress, port, api_processes, workers)
    try:
        instance.start()
        with leave_instance(data_dir, {**instance.urls, "metrics": instance.metrics_urls}):
            token_file, demo = _fill(instance, empty=empty)
            progress.step("Waiting for the API")
            instance.wait_until_ready()
            progress.finish()
            if as_json:
                sys.stdout.write(ready_line(instance, token_file, demo) + "\n")
                sys.stdout.flush()
            else:
                show_instance(instance, token_file, demo, notes, empty=empty)
            while True:
                instance.watch()
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        progress.halt()
        progress.note("Stopping")
    finally:
        progress.halt()
        instance.stop()


def _fill(instance: Instance, *, empty: bool) -> tuple[Path, Demo | None]:
    """What an instance holds from the start: an administrator, and the demo company."""
    instance.progress.step("Starting API and worker")
    os.environ.update({k: v for k, v in instance.environment.items() if k.startswith("ONHAND_") or k in PROXIES})
    settings = load_settings()
    token_file = instance.data_dir / "admin-token"
    secret = asyncio.run(ensure_admin_token(settings, token_file))
    return token_file, None if empty else asyncio.run(start_demo(instance, settings, secret))
