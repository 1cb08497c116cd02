"""Embedded servers: closed to others, tied to their process, whole again after any kill."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.embedded import EmbeddedError, Servers, start_servers

WRITER = """
    import sys, time
    from pathlib import Path
    from app.embedded import start_servers
    from app.initialize_postgres import execute

    servers = start_servers(Path(sys.argv[1]), durable=False)
    execute(servers.migration_database_url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    print(servers.postgres_pid, servers.valkey_pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def killed(tmp_path: Path, checkout: Path) -> tuple[Path, list[psutil.Process]]:
    """A data folder whose supervisor has just been ended by SIGKILL, and the servers it had."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=checkout,
    ) as supervisor:
        assert supervisor.stdout is not None
        children = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]
        supervisor.kill()
    return tmp_path / "data", children


async def test_application_role_logs_in_and_owns_nothing(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.database_url)
    try:
        assert await connection.fetchval("SELECT pg_has_role('onhand_app', 'USAGE')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE mine (n int)")
    finally:
        await connection.close()


async def test_a_password_is_always_asked_for(servers: Servers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(servers.database_url.replace(servers.passwords["onhand_api"], "wrong"))
    with (
        redis.Redis(port=servers.valkey_port, protocol=2, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_secrets_are_for_this_user_only(servers: Servers) -> None:
    for name in ("secrets.json", "valkey/valkey.conf"):
        assert stat.S_IMODE((servers.data_dir / name).stat().st_mode) == 0o600


def test_listens_on_the_loopback_only(servers: Servers) -> None:
    assert servers.postgres_pid is not None
    assert servers.valkey_pid is not None
    for pid in (servers.postgres_pid, servers.valkey_pid):
        sockets = [found for found in psutil.Process(pid).net_connections("all") if found.status == "LISTEN"]
        assert {found.laddr.ip for found in sockets} == {"127.0.0.1"}


def test_valkey_comes_back_on_its_port(servers: Servers) -> None:
    port, pid = servers.valkey_port, servers.valkey_pid
    servers.restart_valkey()
    assert servers.valkey_port == port
    assert servers.valkey_pid != pid
    with redis.Redis.from_url(servers.redis_url, protocol=2) as client:
        assert client.ping()


def test_two_supervisors_never_share_a_folder(servers: Servers) -> None:
    with pytest.raises(EmbeddedError, match="Another Onhand runs on"):
        start_servers(servers.data_dir)


def test_servers_end_with_their_supervisor(killed: tuple[Path, list[psutil.Process]]) -> None:
    _, children = killed
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive


async def test_a_start_after_a_kill_keeps_the_data(killed: tuple[Path, list[psutil.Process]]) -> None:
    data_dir, _ = killed
    servers = start_servers(data_dir, durable=False, valkey=False)
    try:
        assert await _read_kept(servers) == 7
    finally:
        servers.stop()


async def test_postgres_recovers_from_its_own_kill(tmp_path: Path) -> None:
    servers = start_servers(tmp_path, valkey=False)
    try:
        connection = await asyncpg.connect(servers.migration_database_url)
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        connection.terminate()
        assert servers.postgres is not None
        servers.postgres.kill()
        servers.postgres.wait()
        servers.start_postgres()
        assert await _read_kept(servers) == 7
    finally:
        servers.stop()


def test_an_unfinished_initialisation_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    servers = start_servers(tmp_path, durable=False, valkey=False)
    assert servers.postgres_pid is not None
    servers.stop()


BUSY = "SELECT count(*) FROM generate_series(1, 100000000000)"


async def test_postgres_starts_though_a_session_of_the_killed_one_is_busy(tmp_path: Path) -> None:
    servers = start_servers(tmp_path, durable=False, valkey=False)
    connection = await asyncpg.connect(servers.migration_database_url)
    busy = asyncio.create_task(connection.execute(BUSY))
    try:
        await asyncio.sleep(0.2)
        session = psutil.Process(connection.get_server_pid())
        assert servers.postgres is not None
        servers.postgres.kill()
        servers.postgres.wait()
        await asyncio.sleep(0.2)
        assert session.is_running()
        servers.start_postgres()
        assert not session.is_running() or session.status() == psutil.STATUS_ZOMBIE
        assert await _read_one(servers.migration_database_url) == 1
    finally:
        connection.terminate()
        await asyncio.gather(busy, return_exceptions=True)
        servers.stop()


NAMELESS = 54_321
STARTER = """
    import sys
    from pathlib import Path
    from app.embedded import start_servers

    start_servers(Path(sys.argv[1]), durable=False, valkey=False).stop()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act for a user without a name")
def test_a_user_without_a_name_may_start_it(checkout: Path) -> None:
    if any(not parent.stat().st_mode & stat.S_IXOTH for parent in Path(sys.executable).resolve().parents):
        pytest.skip("the interpreter lies where other users may not enter")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NAMELESS, NAMELESS)
        started = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(STARTER), f"{folder}/data"],
            preexec_fn=lambda: _become(NAMELESS),
            capture_output=True,
            text=True,
            check=False,
            cwd=checkout,
        )
    if "needs a user with a name" in started.stderr:
        pytest.skip("no user namespaces here")
    assert started.returncode == 0, started.stderr


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter such a folder")
def test_works_below_a_folder_that_only_root_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = [path.stat().st_mode for path in (closed, *closed.parents)]
    servers = start_servers(closed / "checkout" / "data", durable=False, valkey=False)
    try:
        assert psutil.Process(servers.postgres_pid).uids().effective != 0
        assert [path.stat().st_mode for path in (closed, *closed.parents)] == before
    finally:
        servers.stop()


def test_stop_is_quick_and_complete(tmp_path: Path) -> None:
    servers = start_servers(tmp_path, durable=False)
    children = [psutil.Process(pid) for pid in (servers.postgres_pid, servers.valkey_pid)]
    began = time.monotonic()
    servers.stop()
    assert time.monotonic() - began < 10
    assert not any(child.is_running() for child in children)
    assert servers.postgres is not None
    assert servers.postgres.returncode in (0, -signal.SIGINT)


async def _read_kept(servers: Servers) -> object:
    return await _read_one(servers.migration_database_url, "SELECT n FROM kept")


async def _read_one(url: str, query: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
