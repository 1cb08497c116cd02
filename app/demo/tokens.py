"""One access token for each role of the demo company, and one for its traffic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.admin_token import ensure_token
from app.demo.company import THIRD_PARTY
from app.embedded import write_private
from app.identity.tokens import TokenCreate
from app.state import State
from domain.identity import Role

_HOUSE = "SELECT id FROM warehouses WHERE code = $1"
TRAFFIC = TokenCreate("demo traffic", [Role.WAREHOUSE, Role.ECOMMERCE], ["stock:read", "stock:write", "orders:write"])
FLOOR = TokenCreate("demo floor", [Role.WAREHOUSE], ["fulfillment:read", "fulfillment:write"])
PARTNER = TokenCreate("demo partner at work", [Role.PARTNER], ["fulfillment:read", "fulfillment:write"])


async def ensure_role_tokens(state: State, data_dir: Path, admin_secret: str) -> dict[str, str]:
    """Secrets by role, each in a file of its own. The partner is the 3PL, and sees its own warehouse alone.

    `admin_secret`: of the administrator every instance has.
    """
    folder = data_dir / "tokens"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = {str(Role.ADMIN): admin_secret}
    write_private(folder / Role.ADMIN, admin_secret + "\n")
    house = await state.database.hot.fetchval(_HOUSE, THIRD_PARTY.code)
    for role in Role:
        if role is not Role.ADMIN:
            limit = [house] if role is Role.PARTNER else None
            command = TokenCreate(f"demo {role.lower()}", [role], warehouse_ids=limit)
            found[role] = await ensure_token(state, folder / role, command)
    return found


async def ensure_traffic_token(state: State, data_dir: Path) -> Path:
    """The file of a token that may do what the traffic does, and no more."""
    path = data_dir / "sandbox" / "traffic-token"
    await ensure_token(state, path, TRAFFIC)
    return path


async def ensure_floor_token(state: State, data_dir: Path) -> Path:
    """The file of a token for those who work in the demo's warehouses."""
    path = data_dir / "sandbox" / "floor-token"
    await ensure_token(state, path, FLOOR)
    return path


async def ensure_partner_token(state: State, data_dir: Path) -> Path:
    """The file of a token by which the demo's partner works for itself: for its warehouse alone."""
    path = data_dir / "sandbox" / "partner-token"
    house = await state.database.hot.fetchval(_HOUSE, THIRD_PARTY.code)
    await ensure_token(state, path, replace(PARTNER, warehouse_ids=[house]))
    return path
