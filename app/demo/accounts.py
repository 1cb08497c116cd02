"""Where the demo's marketplaces listen and what opens them: made once per data folder, kept private."""

from __future__ import annotations

import json
import secrets
import socket
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.embedded import free_port, write_private

FREE_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Account:
    """One sandbox marketplace. `token` opens its API, `secret` signs what it sends."""

    port: int
    token: str
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def account_path(data_dir: Path, kind: str) -> Path:
    return data_dir / "sandbox" / f"{kind}.json"


def state_path(data_dir: Path, kind: str) -> Path:
    return data_dir / "sandbox" / f"{kind}-state.json"


def find_account(data_dir: Path, kind: str) -> Account | None:
    """The account of an earlier start, if there was one. Raises OSError when it is not ours to read."""
    path = account_path(data_dir, kind)
    return Account(**json.loads(path.read_text())) if path.exists() else None


def claim_account(data_dir: Path, kind: str) -> Account:
    """The account to start a marketplace with: on the port it had, or on a free one if that is taken."""
    path = account_path(data_dir, kind)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    known = find_account(data_dir, kind)
    if known is not None and _wait_until_free(known.port):
        return known
    port = free_port()
    made = Account(port, secrets.token_hex(16), secrets.token_hex(32)) if known is None else replace(known, port=port)
    write_private(path, json.dumps(asdict(made)))
    return made


def _wait_until_free(port: int) -> bool:
    """A marketplace of a killed run lets go of its port within moments; another program does not."""
    deadline = time.monotonic() + FREE_SECONDS_MAX
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.05)
            else:
                return True
    return False
