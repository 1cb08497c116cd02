"""`onhand up`: start everything, keep it running, stop it cleanly."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from app.channels.seal_credentials import read_keys
from app.embedded import EmbeddedError, Servers, free_port, start_servers, write_private
from app.find_instance import INSTANCE_FILE
from app.progress import Progress
from app.settings import Settings, load_settings
from app.spawn import spawn
from migrations.run import upgrade

READY_SECONDS_MAX = 60.0
READY_ANSWER_SECONDS = 3.0
PORT_SECONDS_MAX = 8.0
STOP_SECONDS_MAX = 15.0
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0
BACKLOG = 2_048
LOG_BYTES_MAX = 10_000_000
"""A log that has grown larger is set aside when its process starts; the one set aside before is dropped."""
FAILURES_TOLD = 3
LOOPBACK = "127.0.0.1,localhost,::1"
METRICS_PORT = "ONHAND_METRICS_PORT"
OWNER_URL = "ONHAND_MIGRATION_DATABASE_URL"
"""Needed for migrations only: API and worker never see it."""


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
        log = log_dir / f"{self.name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_name(f"{log.name}.1"))
        self.process = spawn(
            self.command,
            log=log,
            environment=self.environment,
            pass_fds=self.inherits,
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
    progress: Progress
    port: int | None
    api_processes: int
    workers: int = 1
    servers: Servers | None = None
    children: list[Child] = field(default_factory=list)
    listener: socket.socket | None = None
    environment: dict[str, str] = field(default_factory=dict)
    servers_due: float = 0.0

    @property
    def url(self) -> str:
        assert self.listener is not None
        host, port = self.listener.getsockname()[:2]
        reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{reached}:{port}"

    @property
    def urls(self) -> dict[str, str]:
        """Where a second shell finds it."""
        found = {name: self.environment[f"ONHAND_{name.upper()}"] for name in ("database_url", "redis_url")}
        return {"url": self.url, **found}

    @property
    def outside_environment(self) -> dict[str, str]:
        """For children that are not Onhand's own: none of its settings, and none of its passwords."""
        return {name: value for name, value in self.environment.items() if not name.startswith("ONHAND_")}

    @property
    def api_pids(self) -> list[int]:
        return [c.process.pid for c in self.children if c.name.startswith("api") and c.process is not None]

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where each process shows its metrics, by its name."""
        ports = {child.name: child.environment.get(METRICS_PORT) for child in self.children}
        base = self.url.rsplit(":", 1)[0]
        return {name: f"{base}:{port}/metrics" for name, port in ports.items() if port is not None}

    def start(self) -> None:
        """Servers and migrations, then API processes and workers, which `wait_until_ready` waits for.

        Raises `SettingError` or `Refusal` before anything starts, and `EmbeddedError` for what does not start.
        """
        given = {name: os.environ.get(f"ONHAND_{name.upper()}") or None for name in ("database_url", "redis_url")}
        settings = load_settings(
            database_url=given["database_url"] or "postgresql://", redis_url=given["redis_url"] or "redis://"
        )
        if settings.secret_key:
            read_keys(settings)
        killed = (self.data_dir / INSTANCE_FILE).exists()
        if not killed:
            self.listener = _listen(settings, self.port, self.progress)
        self._start_servers(**given)
        self.progress.step("Migrating the database")
        upgrade(self.environment[OWNER_URL])
        if killed:
            # The API of the killed run may still be ending. Only now: the folder is ours, not a running instance's.
            self.listener = _listen(settings, self.port, self.progress, PORT_SECONDS_MAX)
        self._start_processes()

    def _start_processes(self) -> None:
        assert self.listener is not None
        environment = {name: value for name, value in self.environment.items() if name != OWNER_URL}
        for number in range(1, self.api_processes + 1):
            command = [sys.executable, "-m", "app.serve", "--fd", str(self.listener.fileno())]
            self.add(Child(f"api-{number}", command, _with_metrics(environment), (self.listener.fileno(),)))
        for number in range(1, self.workers + 1):
            name = "worker" if self.workers == 1 else f"worker-{number}"
            self.add(Child(name, [sys.executable, "-m", "app.worker"], _with_metrics(environment)))

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
                self._tell_failure(child)
                child.start(self.data_dir / "logs")
        if self.servers is not None and time.monotonic() >= self.servers_due:
            self._watch_servers(self.servers)

    def _tell_failure(self, child: Child) -> None:
        if child.failures < FAILURES_TOLD:
            self.progress.note(f"{child.name} ended: starting it again")
        elif child.failures == FAILURES_TOLD:
            log = self.data_dir / "logs" / f"{child.name}.log"
            self.progress.note(f"{child.name} ends again and again, and is started each time: {log} says why")

    def _watch_servers(self, servers: Servers) -> None:
        for name, process, start in (
            ("Valkey", servers.valkey, servers.start_valkey),
            ("PostgreSQL", servers.postgres, servers.start_postgres),
        ):
            if process is None or process.poll() is None:
                continue
            self.progress.note(f"{name} ended: starting it again")
            try:
                start()
            except EmbeddedError as error:
                self.progress.note(str(error))
                self.servers_due = time.monotonic() + RESTART_SECONDS[-1]

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

    def _start_servers(self, database_url: str | None, redis_url: str | None) -> None:
        # A proxy for the world outside is none for our own processes.
        proxied = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), LOOPBACK)))
        self.environment = {**os.environ, "NO_PROXY": proxied, "no_proxy": proxied}
        if database_url is None or redis_url is None:
            fresh = database_url is None and not (self.data_dir / "postgres" / "PG_VERSION").exists()
            self.progress.step(
                "Installing PostgreSQL's data and starting it, with Valkey"
                if fresh
                else "Starting PostgreSQL and Valkey"
            )
        self.servers = start_servers(self.data_dir, postgres=database_url is None, valkey=redis_url is None)
        if database_url is None:
            self.environment["ONHAND_DATABASE_URL"] = self.servers.database_url
            self.environment[OWNER_URL] = self.servers.migration_database_url
        else:
            self.environment.setdefault(OWNER_URL, database_url)
        if redis_url is None:
            self.environment["ONHAND_REDIS_URL"] = self.servers.redis_url
        self.environment.setdefault("ONHAND_SECRET_KEY", _read_secret_key(self.data_dir / "secret-key"))

    def wait_until_ready(self) -> None:
        """Until `/readyz` says so. Raises `EmbeddedError` with what the API still waits for."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        waits_for: list[str] = []
        with httpx.Client(trust_env=False, timeout=READY_ANSWER_SECONDS) as http:
            while time.monotonic() < deadline:
                try:
                    answer = http.get(f"{self.url}/readyz")
                    waits_for = answer.json()["waits_for"]
                except (httpx.HTTPError, ValueError, KeyError):
                    answer = None
                if answer is not None and answer.is_success:
                    return
                self.watch()
                time.sleep(0.05)
        reason = f"it waits for {' and '.join(waits_for)}" if waits_for else f"{self.data_dir / 'logs'} says why"
        raise EmbeddedError(f"The API did not become ready: {reason}.")


def _listen(settings: Settings, port: int | None, progress: Progress, patience_seconds: float = 0.0) -> socket.socket:
    """Bind once: every API process accepts from this socket, so none of them owns the port."""
    wanted = settings.port if port is None else port
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = _bind(settings.host, wanted, family, patience_seconds)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            reason = str(error.strerror).partition(" (")[0]
            message = f"Port {wanted} of {settings.host} cannot be used ({reason}): give another --port."
            raise EmbeddedError(message) from None
        listener = socket.create_server((settings.host, 0), family=family, backlog=BACKLOG)
        progress.note(f"Port {wanted} is taken: using {listener.getsockname()[1]}")
    listener.set_inheritable(True)
    return listener


def _bind(host: str, port: int, family: int, patience_seconds: float) -> socket.socket:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def _with_metrics(environment: dict[str, str]) -> dict[str, str]:
    """Each process has metrics of its own, and a port to show them on that it keeps when it is started again."""
    return {**environment, METRICS_PORT: str(free_port())}


def _read_secret_key(path: Path) -> str:
    if not path.exists():
        write_private(path, Fernet.generate_key().decode() + "\n")
    return path.read_text().strip()


def interrupt_once() -> None:
    """Make the first SIGINT or SIGTERM a KeyboardInterrupt; from then on both are ignored, for a stop in order."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
