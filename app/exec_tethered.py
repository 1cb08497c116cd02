"""Become another command whose life is tied to its parent's, as an ordinary user if asked.

Run by path with a bare interpreter (`python -I -S app/exec_tethered.py ...`):
a child set up here, after exec, needs no code between fork and exec of a threaded parent.

Two things happen before the command takes over this process:

* On Linux the kernel is asked to signal it when its parent dies, so that a supervisor ended by
  `kill -9` leaves nothing that holds a port or a data folder.
* Started by root with `--uid`, it becomes that user, because PostgreSQL refuses to run as root. With
  `--reach` it keeps one capability, to enter and read folders that only root may enter: nobody's file
  mode has to change for a checkout below /root to work.

With `--alias` a user without a name (a container started with any number for a user) gets one, in a user
namespace of its own: `initdb` insists on it, the server does not.
"""

import argparse
import ctypes
import os
import signal
import stat
import sys

PR_SET_PDEATHSIG = 1
PR_CAPBSET_READ = 23
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2

# Without it access(2) ignores capabilities once the real user is not root, and PostgreSQL finds its own
# executable with access(2).
SECBIT_NO_SETUID_FIXUP = 1 << 2

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

CLONE_NEWUSER = 0x10000000

EXIT_CANNOT_DROP = 97
EXIT_CANNOT_REACH = 98
EXIT_CANNOT_ALIAS = 99


class CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def call_prctl(option: int, *values: int) -> int:
    """Raise OSError where prctl fails."""
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    result = int(ctypes.CDLL(None, use_errno=True).prctl(option, *padded))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
    return result


def choose_capability(program: str) -> int:
    """Return the weakest capability that reaches `program`. Raises OSError where none is left to us.

    Reading suffices for a program that anyone may execute; installed under a strict umask it is not one.
    """
    anyone = os.stat(program).st_mode & stat.S_IXOTH  # noqa: PTH116
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if anyone else (CAP_DAC_OVERRIDE,):
        if call_prctl(PR_CAPBSET_READ, capability) == 1:
            return capability
    raise OSError("no capability to enter folders of other users")


def keep_only(capability: int) -> None:
    """Give up every capability but this one, and hand it on through exec."""
    mask = 1 << capability
    header = CapHeader(CAPABILITY_VERSION_3, 0)
    data = (CapData * 2)(CapData(mask, mask, mask), CapData(0, 0, 0))
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), data) < 0:
        raise OSError(ctypes.get_errno(), "capset failed")
    call_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become_user(uid: int, gid: int, reach: str | None) -> None:
    """Become (uid, gid), still able to reach the program `reach` wherever it lies."""
    capability = None
    if reach is not None:
        try:
            capability = choose_capability(reach)
            call_prctl(PR_SET_SECUREBITS, call_prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP)
        except OSError:
            sys.exit(EXIT_CANNOT_REACH)
    try:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if capability is not None:
            keep_only(capability)
    except OSError:
        sys.exit(EXIT_CANNOT_DROP)


def take_alias(uid: int) -> None:
    """Be called `uid` inside, and still be who we are to every file."""
    own = os.geteuid()
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) < 0:
            raise OSError(ctypes.get_errno(), "unshare failed")
        with open("/proc/self/uid_map", "w") as mapping:  # noqa: PTH123
            mapping.write(f"{uid} {own} 1")
    except (AttributeError, OSError):
        sys.exit(EXIT_CANNOT_ALIAS)


def tether_to_parent(parent: int, signal_number: int) -> None:
    """Ask for `signal_number` when the parent's thread ends. Elsewhere than on Linux: nothing."""
    if not sys.platform.startswith("linux"):
        return
    call_prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit(0)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="exec_tethered")
    parser.add_argument("--parent", type=int, default=0, help="end with this process; 0: do not")
    parser.add_argument("--signal", default="SIGKILL", help="how to end")
    parser.add_argument("--uid", type=int, default=None)
    parser.add_argument("--gid", type=int, default=None)
    parser.add_argument("--reach", action="store_true")
    parser.add_argument("--alias", type=int, default=None, help="a user that has a name")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def main() -> None:
    asked = parse_arguments(sys.argv[1:])
    if asked.uid is not None:
        become_user(asked.uid, asked.gid, asked.command[0] if asked.reach else None)
    if asked.alias is not None:
        take_alias(asked.alias)
    if asked.parent:
        # After the change of user, which clears it.
        tether_to_parent(asked.parent, signal.Signals[asked.signal])
    os.umask(0o077)
    os.execv(asked.command[0], asked.command)  # noqa: S606


if __name__ == "__main__":
    main()
