"""A sandbox's numbers over a restart: one file, written whole beside the old one, then renamed; one owner at a time."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

SAVE_SECONDS = 0.25
LOCK_SECONDS_MAX = 10.0
LOCK_LOOK_SECONDS = 0.05
logger = logging.getLogger(__name__)


@contextmanager
def lock_file(path: Path, patience_seconds: float = LOCK_SECONDS_MAX) -> Iterator[None]:
    """Keep the file to one sandbox. Raises OSError when another holds it for longer than a stop takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        deadline = time.monotonic() + patience_seconds
        while not _is_locked(lock.fileno()):
            if time.monotonic() > deadline:
                raise OSError(f"another sandbox keeps its numbers in {path}")
            time.sleep(LOCK_LOOK_SECONDS)
        yield


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(content)
    draft.replace(path)


@asynccontextmanager
async def kept_in(
    path: Path | None, read_version: Callable[[], int], dump: Callable[[bool], bytes]
) -> AsyncIterator[None]:
    """Save what changes in the block, and at its end; nothing without a path. `dump` is told whether it is the end."""
    if path is None:
        yield
        return
    saver = asyncio.create_task(_save_forever(path, read_version, dump))
    try:
        yield
    finally:
        saver.cancel()
        await asyncio.gather(saver, return_exceptions=True)
        write_file(path, dump(True))


async def _save_forever(path: Path, read_version: Callable[[], int], dump: Callable[[bool], bytes]) -> None:
    """At most every SAVE_SECONDS. A failed save is logged and tried again."""
    saved_version = -1
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        version = read_version()
        if version == saved_version:
            continue
        try:
            await asyncio.to_thread(write_file, path, dump(False))
            saved_version = version
        except OSError:
            logger.exception("the sandbox could not save %s", path)
