"""Access tokens that `onhand up` leaves in the data folder, in files that only this user reads."""

from __future__ import annotations

from pathlib import Path

from app.embedded import write_private
from app.identity.tokens import TokenCreate, create_token, find_principal
from app.settings import Settings
from app.state import State, open_state
from app.transact import transact
from domain.identity import Role


async def ensure_admin_token(settings: Settings, path: Path) -> str:
    """The administrator's secret, which is in `path`."""
    async with open_state(settings, "onhand up") as state:
        return await ensure_token(state, path, TokenCreate("admin", [Role.ADMIN]))


async def ensure_token(state: State, path: Path, command: TokenCreate) -> str:
    """The secret in `path` if it is still valid, else that of a new token, written there."""
    if path.exists():
        secret = path.read_text().strip()
        if await find_principal(state.database, secret):
            return secret
    made = await transact(state.database, lambda session: create_token(session, command, "onhand up"))
    write_private(path, made.secret + "\n")
    return made.secret
