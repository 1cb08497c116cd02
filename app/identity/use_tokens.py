"""Tokens from the API's side: each change in its own transaction, and every process told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.identity.tokens import CreatedToken, TokenCreate, create_token, revoke_token, rotate_token
from app.state import State
from app.transact import transact
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal, Role


async def make_token(state: State, principal: Principal, command: TokenCreate) -> CreatedToken:
    """Raises `Refusal` NOT_ALLOWED when the new token could do what its maker may not."""
    if Role.ADMIN in command.roles and Role.ADMIN not in principal.roles:
        raise Refusal(RefusalCode.NOT_ALLOWED, "Only an admin makes an admin's token.", ("roles",))
    if principal.scopes is not None and not set(command.scopes or ["*"]) <= principal.scopes:
        raise Refusal(RefusalCode.NOT_ALLOWED, "A token's scopes are at most its maker's.", ("scopes",))
    if principal.warehouse_ids is not None and not set(command.warehouse_ids or [-1]) <= principal.warehouse_ids:
        raise Refusal(RefusalCode.NOT_ALLOWED, "A token's warehouses are at most its maker's.", ("warehouses",))
    return await transact(state.database, lambda session: create_token(session, command, principal.name))


async def renew_token(state: State, token_id: UUID) -> CreatedToken:
    made = await transact(state.database, lambda session: rotate_token(session, token_id))
    state.doorbell.ring("tokens", str(token_id))
    return made


async def withdraw_token(state: State, token_id: UUID) -> Any:
    row = await transact(state.database, lambda session: revoke_token(session, token_id))
    state.doorbell.ring("tokens", str(token_id))
    return row
