"""Tokens from the API's side: each change once per key in its own transaction, and every process told.

What is kept under a key never holds a secret: a repeat shows the token alone (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.idempotency import IdempotentCall
from app.conditions import Conditions
from app.identity.check_grant import check_keeper
from app.identity.tokens import CreatedToken, TokenCreate, create_token, find_token, revoke_token, rotate_token
from app.run_once import Answer, transact_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal, Role

LIMITS_MAX = 1_000
_TOKENS = """
SELECT t.id, t.name, t.roles, t.scopes, t.created_by, t.created_at, t.rotated_at, t.expires_at, t.revoked_at,
  CASE WHEN t.warehouse_ids IS NOT NULL
    THEN ARRAY(SELECT code FROM warehouses WHERE id = ANY(t.warehouse_ids) ORDER BY code) END AS warehouses,
  CASE WHEN t.channel_ids IS NOT NULL
    THEN ARRAY(SELECT code FROM channels WHERE id = ANY(t.channel_ids) ORDER BY code) END AS channels
FROM tokens t
"""
_CHANNELS = "SELECT code, id FROM channels WHERE code = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A token as its maker asks for it: `warehouses` and `channels` are codes, and None means unlimited."""

    name: str
    roles: Sequence[Role]
    scopes: Sequence[str] | None = None
    warehouses: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    expires_in_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """`secret` is None for a repeat under the same key. `token`: a row of `_TOKENS`, its id a text."""

    secret: str | None
    token: dict[str, Any]


async def make_token(
    state: State, principal: Principal, wanted: TokenWanted, call: IdempotentCall | None = None
) -> TokenAnswer:
    """Raises `Refusal` INVALID_INPUT, WAREHOUSE_NOT_FOUND, CHANNEL_NOT_FOUND, or NOT_ALLOWED (`check_grant`)."""

    async def decide(session: WriteSession) -> Answer:
        houses = await _find_warehouses(state, principal, wanted.warehouses)
        channels = await _find_channels(session, principal, wanted.channels)
        command = TokenCreate(wanted.name, wanted.roles, wanted.scopes, houses, channels, wanted.expires_in_seconds)
        return await _show(session, await create_token(session, command, principal.name, principal))

    return _answer(await transact_once(state.database, call, decide, unkept="secret"))


async def renew_token(
    state: State, principal: Principal, token_id: UUID, call: IdempotentCall | None = None
) -> TokenAnswer:
    """Raises `Refusal` TOKEN_NOT_FOUND, NOT_ALLOWED or TOKEN_REVOKED."""

    async def decide(session: WriteSession) -> Answer:
        return await _show(session, await rotate_token(session, token_id, principal))

    made = _answer(await transact_once(state.database, call, decide, unkept="secret"))
    state.doorbell.ring("tokens")
    return made


async def withdraw_token(
    state: State, principal: Principal, token_id: UUID, call: IdempotentCall | None = None
) -> dict[str, Any]:
    """Raises `Refusal` TOKEN_NOT_FOUND, NOT_ALLOWED or TOKEN_REVOKED."""

    async def decide(session: WriteSession) -> Answer:
        await revoke_token(session, token_id, principal)
        return {"token": await _read(session.raw, token_id)}

    token: dict[str, Any] = (await transact_once(state.database, call, decide))["token"]
    state.doorbell.ring("tokens")
    return token


async def show_token(state: State, principal: Principal, token_id: UUID) -> dict[str, Any] | None:
    """A token that the principal may keep; None when there is none."""
    async with state.database.read() as session:
        row = await find_token(session, token_id)
    try:
        if row is None or check_keeper(principal, row) is None:
            return None
    except Refusal:
        return None
    return await _read(state.database.hot, token_id)


async def read_tokens(
    database: Database, principal: Principal, active: bool | None, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Those that the principal could have made (`check_keeper`), newest first, before an id, at most `limit`."""
    found = _choose(principal, active)
    if before is not None:
        found.add("t.id < {}::uuid", before)
    query = f"{_TOKENS} {found.where} ORDER BY t.id DESC LIMIT {found.place(limit)}"
    return [_plain(row) for row in await database.hot.fetch(query, *found.values)]


async def count_tokens(database: Database, principal: Principal, active: bool | None) -> int:
    found = _choose(principal, active)
    return int(await database.hot.fetchval(f"SELECT count(*) FROM tokens t {found.where}", *found.values))  # noqa: S608


def _choose(principal: Principal, active: bool | None) -> Conditions:
    """`active`: those that open something now, or those that do not."""
    found = Conditions()
    if active is not None:
        ended = "(t.revoked_at IS NOT NULL OR coalesce(t.expires_at <= now(), false))"
        found.add(f"NOT {ended}" if active else ended)
    if Role.ADMIN not in principal.roles:
        found.add("t.roles <@ {}::text[]", sorted(principal.roles))
    for column, kind, limit in (
        ("scopes", "text", principal.scopes),
        ("warehouse_ids", "int", principal.warehouse_ids),
        ("channel_ids", "int", principal.channel_ids),
    ):
        if limit is not None:
            found.add(f"t.{column} <@ {{}}::{kind}[]", sorted(limit))
    return found


async def _find_warehouses(state: State, principal: Principal, codes: Sequence[str] | None) -> list[int] | None:
    if codes is None:
        return None
    _check_length(codes, "warehouses")
    return [
        (await state.lookup.find_warehouse(code, principal, ("warehouses", str(index)), open_only=False)).id
        for index, code in enumerate(codes)
    ]


async def _find_channels(session: WriteSession, principal: Principal, codes: Sequence[str] | None) -> list[int] | None:
    if codes is None:
        return None
    _check_length(codes, "channels")
    known = {code: key for code, key in await session.raw.fetch(_CHANNELS, list(codes)) if principal.sees_channel(key)}
    for index, code in enumerate(codes):
        if code not in known:
            raise Refusal(RefusalCode.CHANNEL_NOT_FOUND, f"There is no channel {code!r}.", ("channels", str(index)))
    return [known[code] for code in codes]


def _check_length(codes: Sequence[str], field: str) -> None:
    if len(codes) > LIMITS_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"A token is limited to at most {LIMITS_MAX} {field}.", (field,))


async def _show(session: WriteSession, made: CreatedToken) -> Answer:
    return {"secret": made.secret, "token": await _read(session.raw, made.token.id)}


async def _read(connection: Any, token_id: UUID) -> dict[str, Any]:
    return _plain(await connection.fetchrow(f"{_TOKENS} WHERE t.id = $1", token_id))


def _plain(row: Any) -> dict[str, Any]:
    return {**row, "id": str(row["id"])}


def _answer(answer: Answer) -> TokenAnswer:
    return TokenAnswer(answer.get("secret"), answer["token"])
