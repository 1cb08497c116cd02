"""The admin token that `onhand up` leaves in the data folder."""

from __future__ import annotations

from pathlib import Path

from app.embedded import write_private
from app.identity.tokens import TokenCreate, create_token, find_principal
from app.settings import Settings
from app.state import State, open_state
from app.transact import transact
from domain.identity import Role


async def ensure_admin_token(settings: Settings, path: Path) -> None:
    """Keep the token in `path` (mode 0600) if it is still valid, else make a new one."""
    async with open_state(settings, "onhand up") as state:
        if path.exists() and await find_principal(state.database, path.read_text().strip()):
            return
        await _write(state, path)


async def _write(state: State, path: Path) -> None:
    command = TokenCreate("admin", [Role.ADMIN])
    made = await transact(state.database, lambda session: create_token(session, command, "onhand up"))
    write_private(path, made.secret + "\n")
