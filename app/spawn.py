"""Start a child process whose life is tied to ours (`exec_tethered.py`)."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TETHER = Path(__file__).with_name("exec_tethered.py")
NOBODY = 65_534


def unprivileged_user() -> tuple[int, int] | None:
    """Who runs PostgreSQL, as (uid, gid): None means this user, who is not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def name_alias() -> int | None:
    """Who this user may pass for where a name is asked for; None when it has one, or there is none to take."""
    named = {entry.pw_uid: entry.pw_name for entry in pwd.getpwall()}
    if os.geteuid() == 0 or os.geteuid() in named:
        return None
    others = sorted((name != "nobody", uid) for uid, name in named.items() if uid != 0)
    return others[0][1] if others else None


def tethered_command(
    command: Sequence[str], death_signal: str, *, unprivileged: bool = False, alias: int | None = None
) -> list[str]:
    """`command` wrapped so that the kernel sends it `death_signal` when this process ends."""
    wrapped = [
        sys.executable,
        "-I",
        "-S",
        str(TETHER),
        "--parent",
        str(os.getpid()),
        "--signal",
        death_signal,
    ]
    user = unprivileged_user() if unprivileged else None
    if user is not None:
        wrapped += ["--uid", str(user[0]), "--gid", str(user[1]), "--reach"]
    if alias is not None:
        wrapped += ["--alias", str(alias)]
    return [*wrapped, "--", *command]


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    death_signal: str = "SIGTERM",
    folder: Path | None = None,
    unprivileged: bool = False,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C reaches us alone and we stop it in order.

    Call it from the main thread: Linux ties the child to the thread that made it.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            tethered_command(command, death_signal, unprivileged=unprivileged),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=None if environment is None else dict(environment),
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
