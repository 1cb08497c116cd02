"""`onhand up`: ready when it says so, whole again after kills, gone when told to."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")}
WAIT_SECONDS = 30


@dataclass
class Up:
    """A running `onhand up --json` and the line it printed."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def ask(self) -> httpx.Response:
        return httpx.post(
            self.ready["graphql"],
            json={"query": "{ __typename }"},
            headers={"authorization": f"Bearer {Path(self.ready['token_file']).read_text().strip()}"},
        )

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.ready["url"] + "/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def children(self, part: str) -> list[psutil.Process]:
        return [found for found in psutil.Process(self.process.pid).children() if part in command_of(found)]


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ends as we look
        return ""


def start_up(data_dir: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", "--empty", "--data-dir", str(data_dir), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=ENVIRONMENT | environment,
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


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    process = start_up(tmp_path_factory.mktemp("up") / "data", "--port", "0", "--api-processes", "2", "--json")
    yield wait_ready(process)
    end(process)


def test_says_where_everything_is(up: Up) -> None:
    assert list(up.ready) == ["url", "graphql", "token_file", "database_url", "redis_url", "api_pids"]
    assert len(up.ready["api_pids"]) == 2
    assert stat.S_IMODE(Path(up.ready["token_file"]).stat().st_mode) == 0o600
    assert up.ask().json() == {"data": {"__typename": "Query"}}


def test_children_never_see_the_owner_of_the_database(up: Up) -> None:
    for child in up.children("app."):
        assert "ONHAND_DATABASE_URL" in child.environ()
        assert "ONHAND_MIGRATION_DATABASE_URL" not in child.environ()


@pytest.mark.parametrize(("part", "expected"), [("app.serve", 2), ("app.worker", 1), ("valkey", 1), ("-D", 1)])
def test_a_killed_process_is_started_again(up: Up, part: str, expected: int) -> None:
    before = {child.pid for child in up.children(part)}
    assert len(before) == expected
    victim = psutil.Process(max(before))
    victim.kill()
    wait_until(lambda: len({child.pid for child in up.children(part)} - {victim.pid}) == expected)
    wait_until(up.is_ready)
    assert up.ask().status_code == 200


def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(up: Up) -> None:
    second = start_up(Path(up.ready["token_file"]).parent, "--port", "0")
    _, said = second.communicate(timeout=WAIT_SECONDS)
    assert second.returncode == 2
    assert "Another Onhand runs on" in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("environment", "options", "sentence"),
    [
        ({"ONHAND_COMBINE_BATCH_MAX": "many"}, ("--port", "0"), "ONHAND_COMBINE_BATCH_MAX is wrong"),
        ({"ONHAND_DATABASE_URL": "mysql://here"}, ("--port", "0"), "ONHAND_DATABASE_URL is wrong"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], options: tuple[str, ...], sentence: str
) -> None:
    process = start_up(tmp_path / "data", *options, **environment)
    _, said = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert sentence in " ".join(said.split())
    assert "Traceback" not in said


def test_data_survives_kill_and_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    first = wait_ready(start_up(tmp_path / "data", "--port", "0", "--json"))
    token = Path(first.ready["token_file"]).read_text()
    children = psutil.Process(first.process.pid).children()
    first.process.kill()
    first.process.communicate()
    _, alive = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert not alive

    second = wait_ready(start_up(tmp_path / "data", "--port", "0", "--json"))
    children = psutil.Process(second.process.pid).children()
    assert Path(second.ready["token_file"]).read_text() == token
    assert second.ask().status_code == 200
    assert end(second.process) == (0, "")
    assert not any(child.is_running() for child in children)


def test_a_stop_while_starting_is_clean(tmp_path: Path) -> None:
    process = start_up(tmp_path / "data", "--port", "0", "--json")
    assert process.stderr is not None
    assert "PostgreSQL" in process.stderr.readline()
    assert end(process) == (0, "")
