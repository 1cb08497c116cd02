"""Where the demo's marketplaces listen and what opens them: made once per data folder, kept private."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded import free_port, write_private

FREE_SECONDS_MAX = 3.0
SECRET_BYTES = 24
"""48 digits: eBay takes verification tokens of 32 to 80."""


@dataclass(frozen=True, slots=True)
class Account:
    """One sandbox marketplace. `secrets`: what it calls its credentials. `api_url`: where its events go."""

    port: int
    api_url: str
    secrets: Mapping[str, str] = field(repr=False)

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
    if not path.exists():
        return None
    raw = json.loads(path.read_text())
    return Account(raw.pop("port"), raw.pop("api_url", ""), raw)


def claim_account(data_dir: Path, kind: str, names: Sequence[str], api_url: str) -> Account:
    """The account to start a marketplace with: on the port it had, or on a free one if that is taken.

    `names`: of its secrets; those that are missing are made.
    """
    path = account_path(data_dir, kind)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    known = find_account(data_dir, kind)
    port = known.port if known is not None and _wait_until_free(known.port) else free_port()
    kept = {} if known is None else known.secrets
    account = Account(port, api_url, {name: kept.get(name) or secrets.token_hex(SECRET_BYTES) for name in names})
    if account != known:
        write_private(path, json.dumps({"port": port, "api_url": api_url, **account.secrets}))
    return account


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
