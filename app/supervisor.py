"""`onhand up`: start everything, keep it running, stop it cleanly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from app import exec_tethered
from app.embedded import EmbeddedError, Servers, free_port, start_servers
from migrations.run import upgrade

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0
Tell = Callable[[str], None]


@dataclass(slots=True)
class Child:
    """A process that is started again when it ends."""

    name: str
    command: list[str]
    environment: dict[str, str]
    inherits: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0

    def start(self, log_dir: Path) -> None:
        tethered = [
            sys.executable,
            "-I",
            "-S",
            exec_tethered.__file__,
            "--parent",
            str(os.getpid()),
            "--signal",
            "SIGTERM",
            "--",
        ]
        with (log_dir / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*tethered, *self.command],
                env=self.environment,
                pass_fds=self.inherits,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def due(self) -> bool:
        """Whether it has ended and has waited long enough to be started again."""
        if self.process is None or self.process.poll() is None:
            return False
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.failures = 0
        delay = RESTART_SECONDS[min(self.failures, len(RESTART_SECONDS) - 1)]
        return time.monotonic() - self.started_at >= delay


@dataclass(slots=True)
class Instance:
    """One running Onhand and what it is made of."""

    data_dir: Path
    tell: Tell
    port: int | None
    api_processes: int
    servers: Servers | None = None
    children: list[Child] = field(default_factory=list)
    listener: socket.socket | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        assert self.listener is not None
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def api_pids(self) -> list[int]:
        return [c.process.pid for c in self.children if c.name.startswith("api") and c.process is not None]

    def start(self) -> None:
        """Servers, migrations, API processes and the worker; returns when `/readyz` says so."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._start_servers()
        self.tell("Migrating the database")
        upgrade(self.environment["ONHAND_MIGRATION_DATABASE_URL"])
        self._listen()
        assert self.listener is not None
        for number in range(1, self.api_processes + 1):
            command = [sys.executable, "-m", "app.serve", "--fd", str(self.listener.fileno())]
            self.add(Child(f"api-{number}", command, self.environment, (self.listener.fileno(),)))
        self.add(Child("worker", [sys.executable, "-m", "app.worker"], self.environment))
        self.tell("Waiting for the API")
        self._wait_until_ready()

    def add(self, child: Child) -> None:
        """Start a process and keep it running."""
        log_dir = self.data_dir / "logs"
        log_dir.mkdir(exist_ok=True)
        child.start(log_dir)
        self.children.append(child)

    def watch(self) -> None:
        """One look at everything: start again what has ended."""
        for child in self.children:
            if child.due():
                child.failures += 1
                self.tell(f"{child.name} ended: starting it again")
                child.start(self.data_dir / "logs")
        if self.servers is None:
            return
        if self.servers.valkey is not None and self.servers.valkey.poll() is not None:
            self.tell("Valkey ended: starting it again")
            self.servers.start_valkey()
        if self.servers.postgres is not None and self.servers.postgres.poll() is not None:
            self.tell("PostgreSQL ended: starting it again")
            self.servers.start_postgres()

    def stop(self) -> None:
        """Stop processes first, then the servers they use."""
        running = [c.process for c in self.children if c.process is not None and c.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.servers is not None:
            self.servers.stop()
        if self.listener is not None:
            self.listener.close()

    def _start_servers(self) -> None:
        database_url, redis_url = os.environ.get("ONHAND_DATABASE_URL"), os.environ.get("ONHAND_REDIS_URL")
        self.environment = dict(os.environ)
        if database_url is None or redis_url is None:
            self.tell("Starting PostgreSQL and Valkey")
            self.servers = start_servers(self.data_dir, postgres=database_url is None, valkey=redis_url is None)
        if database_url is None:
            assert self.servers is not None
            self.environment["ONHAND_DATABASE_URL"] = self.servers.database_url
            self.environment["ONHAND_MIGRATION_DATABASE_URL"] = self.servers.migration_database_url
        else:
            self.environment.setdefault("ONHAND_MIGRATION_DATABASE_URL", database_url)
        if redis_url is None:
            assert self.servers is not None
            self.environment["ONHAND_REDIS_URL"] = self.servers.redis_url
        self.environment.setdefault("ONHAND_SECRET_KEY", _read_secret_key(self.data_dir / "secret-key"))

    def _listen(self) -> None:
        """Bind once: every API process accepts from this socket, so none of them owns the port."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host = self.environment.get("ONHAND_HOST", "127.0.0.1")
        try:
            self.listener.bind((host, 8000 if self.port is None else self.port))
        except OSError as error:
            if self.port is not None:
                raise EmbeddedError(
                    f"Port {self.port} cannot be used ({error.strerror}): give another --port."
                ) from None
            other = free_port()
            self.tell(f"Port 8000 is taken: using {other}")
            self.listener.bind((host, other))
        self.listener.listen(2_048)
        self.listener.set_inheritable(True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError, urllib.error.URLError),
                urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer,  # noqa: S310
            ):
                if answer.status == 200:
                    return
            self.watch()
            time.sleep(0.05)
        raise EmbeddedError(f"The API did not become ready: see {self.data_dir / 'logs'}.")


def _read_secret_key(path: Path) -> str:
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(Fernet.generate_key().decode())
    return path.read_text().strip()


def run_until_stopped(instance: Instance) -> None:
    """Watch over the instance until SIGINT or SIGTERM."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopping:
        instance.watch()
        time.sleep(0.1)


def ready_line(instance: Instance, token_file: Path) -> str:
    """What `--json` prints once."""
    return json.dumps(
        {
            "url": instance.url,
            "graphql": f"{instance.url}/graphql",
            "token_file": str(token_file),
            "database_url": instance.environment["ONHAND_DATABASE_URL"],
            "redis_url": instance.environment["ONHAND_REDIS_URL"],
            "api_pids": instance.api_pids,
        }
    )
