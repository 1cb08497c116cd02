"""Run a sandbox as a process: its file locked, its port open, and one sentence when it cannot start."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from adapters.sandbox.keep_file import lock_file

STOP_SECONDS_MAX = 3


def serve_sandbox(name: str, host: str, port: int, create: Callable[[], ASGIApp], state: Path | None = None) -> int:
    """Serve what `create` makes until it is stopped; the exit code. `name`: as in "The sandbox store is at …"."""
    with ExitStack() as stack:
        try:
            if state:
                stack.enter_context(lock_file(state))
            app = create()
            door = stack.enter_context(open_door(host, port))
        except (ValueError, OSError) as error:
            sys.stderr.write(f"The sandbox {name} cannot start: {error}.\n")
            return 2
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_SECONDS_MAX)
        sys.stdout.write(f"The sandbox {name} is at http://{host}:{door.getsockname()[1]}/\n")
        sys.stdout.flush()
        uvicorn.Server(config).run([door])
    return 0


def open_door(host: str, port: int) -> socket.socket:
    """A listening socket that says it is TCP, or asyncio leaves Nagle's delay on. Raises OSError in one sentence."""
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen()
    except (OSError, OverflowError) as error:
        door.close()
        reason = str(error.strerror).partition(" (")[0] if isinstance(error, OSError) else "there is no such port"
        raise OSError(f"port {port} of {host} cannot be used ({reason}): give another --port") from None
    return door
