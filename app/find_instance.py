"""How a second shell finds a running `onhand up`: a private file in its data folder, there as long as it runs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from app.embedded import write_private
from app.settings import SettingError, Settings, load_settings

INSTANCE_FILE = "instance.json"
CLOCK_SECONDS = 2.0
"""A clock that is set meanwhile moves the time at which a process began."""
GIVEN = ("ONHAND_DATABASE_URL", "ONHAND_REDIS_URL")


@contextmanager
def leave_instance(data_dir: Path, urls: Mapping[str, Any]) -> Iterator[None]:
    """Say where this process's instance is, as long as the block lasts.

    The time at which the process began tells it from a later one with the same number.
    """
    path = data_dir / INSTANCE_FILE
    process = psutil.Process()
    write_private(path, json.dumps({**urls, "pid": process.pid, "began": process.create_time()}))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def find_settings(data_dir: Path) -> Settings:
    """The environment's settings; without a database there, those of the instance that runs on `data_dir`.

    Raises `SettingError` when there is none.
    """
    if any(os.environ.get(name) for name in GIVEN):
        return load_settings()
    found = _read_instance(data_dir)
    urls = {name: found[name] for name in ("database_url", "redis_url")}
    key_file = data_dir / "secret-key"
    if not os.environ.get("ONHAND_SECRET_KEY") and key_file.exists():
        urls["secret_key"] = key_file.read_text().strip()
    return load_settings(**urls)


def _read_instance(data_dir: Path) -> dict[str, Any]:
    path = data_dir.absolute() / INSTANCE_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        running = abs(psutil.Process(found["pid"]).create_time() - found["began"]) < CLOCK_SECONDS
    except FileNotFoundError:
        raise SettingError(
            f"No Onhand runs on {data_dir.absolute()}: start one with `onhand up`, name another --data-dir, "
            f"or set {' and '.join(GIVEN)}."
        ) from None
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror}): are you the user who started it?") from None
    except psutil.NoSuchProcess:
        running = False
    except (ValueError, KeyError, TypeError):
        raise SettingError(f"{path} is broken: start `onhand up` on the folder again.") from None
    if not running:
        raise SettingError(
            f"The Onhand of {data_dir.absolute()} has ended without a word: start `onhand up` on the folder again."
        )
    return found
