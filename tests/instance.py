"""A whole instance in its own processes, as `onhand up --empty --json` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded import free_port
from app.find_instance import INSTANCE_FILE


@dataclass(slots=True)
class Running:
    """What the JSON line said, and the process that said it."""

    info: dict[str, Any]
    token: str
    process: subprocess.Popen[str]

    @property
    def graphql(self) -> str:
        return str(self.info["graphql"])


@contextmanager
def running_instance(
    data_dir: Path, *, api_processes: int, workers: int = 1, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start it, wait until it is ready, stop it at the end. `environment`: settings besides the usual ones."""
    command = [sys.executable, "-m", "app.cli", "up", "--empty", "--json", "--data-dir", str(data_dir)]
    command += ["--port", str(free_port()), "--api-processes", str(api_processes), "--workers", str(workers)]
    with (data_dir.parent / f"{data_dir.name}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **(environment or {})}
        )
    assert process.stdout is not None
    try:
        info = json.loads(process.stdout.readline())
        info["metrics"] = json.loads((data_dir / INSTANCE_FILE).read_text())["metrics"]
        yield Running(info, Path(info["token_file"]).read_text().strip(), process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stdout.close()
