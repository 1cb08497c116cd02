"""The `onhand` command in this process."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog

from app.cli import main
from app.settings import Settings

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command line; gives its exit code and what it said on both outputs, whitespace made one."""
    for name in [name for name in os.environ if name.startswith("ONHAND_")]:
        monkeypatch.delenv(name)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["onhand", *arguments])
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = call_main()
        return code, re.sub(r"[\s│]+", " ", said.getvalue())

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logs, configure = structlog.get_config(), structlog.configure
    # A logger that is kept would go on as the command wanted it, in the tests after this one.
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**{**how, "cache_logger_on_first_use": False}))
    yield call
    configure(**logs)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def call_main() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def on_database(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ONHAND_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("ONHAND_REDIS_URL", settings.redis_url)
    return run
