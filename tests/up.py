"""`onhand up` in processes of its own, and what to do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from adapters.trust_system import trust_system

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")}
WAIT_SECONDS = 30


@dataclass
class Up:
    """A running `onhand up --json` and the line it printed."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def ask(self, query: str = "{ __typename }", token_file: Path | None = None) -> Any:
        """The answer's body; as the administrator, unless another token is given."""
        secret = (token_file or Path(self.ready["token_file"])).read_text().strip()
        answer = httpx.post(
            self.ready["graphql"],
            json={"query": query},
            headers={"authorization": f"Bearer {secret}"},
            verify=trust_system(),
        )
        return answer.json()

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.ready["url"] + "/readyz", verify=trust_system()).status_code == 200
        except httpx.HTTPError:
            return False

    def children(self, part: str) -> list[psutil.Process]:
        return [found for found in psutil.Process(self.process.pid).children() if part in command_of(found)]


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ends as we look
        return ""


def start_up(data_dir: Path, *options: str, settings: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", "--data-dir", str(data_dir), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**ENVIRONMENT, **(settings or {})},
    )


def wait_ready(process: subprocess.Popen[str]) -> Up:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return Up(process, json.loads(line))


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and what else stood on standard output."""
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, rest


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
