"""`onhand up`: ready when it says so, whole again after kills, gone when told to."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from app.embedded import EmbeddedError
from app.find_instance import INSTANCE_FILE
from app.progress import Progress
from app.supervisor import Instance
from tests.up import Up, end, start_up, wait_ready, wait_until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    processes = ("--api-processes", "2", "--workers", "2")
    process = start_up(tmp_path_factory.mktemp("up") / "data", "--empty", *processes, "--json")
    yield wait_ready(process)
    if process.poll() is None:
        end(process)


def test_says_where_everything_is(up: Up) -> None:
    assert list(up.ready) == ["url", "graphql", "token_file", "database_url", "redis_url", "api_pids"]
    assert len(up.ready["api_pids"]) == 2
    assert stat.S_IMODE(Path(up.ready["token_file"]).stat().st_mode) == 0o600
    assert up.ask() == {"data": {"__typename": "Query"}}


def test_children_never_see_the_owner_of_the_database(up: Up) -> None:
    for child in up.children("app."):
        assert "ONHAND_DATABASE_URL" in child.environ()
        assert "ONHAND_MIGRATION_DATABASE_URL" not in child.environ()


@pytest.mark.parametrize(("part", "expected"), [("app.serve", 2), ("app.worker", 2), ("valkey", 1), ("-D", 1)])
def test_a_killed_process_is_started_again(up: Up, part: str, expected: int) -> None:
    before = {child.pid for child in up.children(part)}
    assert len(before) == expected
    victim = psutil.Process(max(before))
    victim.kill()
    wait_until(lambda: len({child.pid for child in up.children(part)} - {victim.pid}) == expected)
    wait_until(up.is_ready)
    assert "data" in up.ask()


def test_a_second_start_on_the_same_folder_is_refused(up: Up) -> None:
    folder = Path(up.ready["token_file"]).parent
    second = Instance(folder, Progress(Console(quiet=True)), port=0, api_processes=1)
    with pytest.raises(EmbeddedError, match=f"Another Onhand runs on {folder}: stop it, or give another --data-dir"):
        second.start()
    second.stop()
    assert up.is_ready()


def test_a_stop_leaves_nothing_behind(up: Up) -> None:
    folder = Path(up.ready["token_file"]).parent
    end_at = time.monotonic() + 10
    while len(children := psutil.Process(up.process.pid).children()) < 6:  # one that was killed is starting again
        assert time.monotonic() < end_at
        time.sleep(0.05)
    assert len(children) == 6
    assert (folder / INSTANCE_FILE).exists()
    assert end(up.process) == (0, "")
    assert not any(child.is_running() for child in children)
    assert not (folder / INSTANCE_FILE).exists()


def test_a_stop_while_starting_is_clean(tmp_path: Path) -> None:
    process = start_up(tmp_path / "data", "--json")
    assert process.stderr is not None
    assert "PostgreSQL" in process.stderr.readline()
    assert end(process) == (0, "")
