"""Access tokens: made and shown once, kept as a hash, rotated, revoked, looked up."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from uuid_utils.compat import uuid7

from adapters.postgres.database import Database, ReadSession, WriteSession
from adapters.postgres.tables import tokens
from app.calls import check_text
from app.identity.check_grant import Grant, check_grant, check_heir, check_keeper, token_not_found
from domain.errors import Refusal, RefusalCode
from domain.identity import SCOPES, Principal, Role

SECRET_PREFIX = "ohd_"  # noqa: S105
NAME_LENGTH_MAX = 200
SECONDS_MAX = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class TokenCreate:
    """`scopes`, `warehouse_ids` and `channel_ids`: None means unlimited."""

    name: str
    roles: Sequence[Role]
    scopes: Sequence[str] | None = None
    warehouse_ids: Sequence[int] | None = None
    channel_ids: Sequence[int] | None = None
    expires_in_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class CreatedToken:
    """`secret` is shown this once; only its hash is kept."""

    secret: str
    token: Any


def hash_secret(secret: str) -> bytes:
    """SHA-256: the secret has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).digest()


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


async def create_token(
    session: WriteSession, command: TokenCreate, created_by: str, keeper: Principal | None = None
) -> CreatedToken:
    """Make a token. Raises `Refusal` INVALID_INPUT for no name, no role, an unknown scope or a wrong time.

    With a `keeper`, also NOT_ALLOWED for what it may not grant; the operator at the command line has none.
    """
    _check(command)
    secret = _new_secret()
    expires_at = None
    if command.expires_in_seconds is not None:
        expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=command.expires_in_seconds)
    if keeper is not None:
        limits = (command.scopes, command.warehouse_ids, command.channel_ids)
        check_grant(keeper, Grant(command.roles, *limits, expires_at))
    row = await session.sql.execute(
        insert(tokens)
        .values(
            id=uuid7(),
            name=command.name.strip(),
            secret_hash=hash_secret(secret),
            roles=[str(role) for role in dict.fromkeys(command.roles)],
            scopes=_kept(command.scopes),
            warehouse_ids=_kept(command.warehouse_ids),
            channel_ids=_kept(command.channel_ids),
            created_by=created_by,
            maker=None if keeper is None else keeper.id,
            expires_at=expires_at,
        )
        .returning(tokens)
    )
    return CreatedToken(secret, row.one())


def _kept(limit: Sequence[Any] | None) -> list[Any] | None:
    """An empty limit is kept as such: it shows nothing, where None shows all."""
    return None if limit is None else list(dict.fromkeys(limit))


def _check(command: TokenCreate) -> None:
    if not command.name.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the token a name that says who uses it.", ("name",))
    check_text(command.name, "name", NAME_LENGTH_MAX)
    if not command.roles:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the token at least one role.", ("roles",))
    for index, scope in enumerate(command.scopes or ()):
        if scope not in SCOPES:
            raise Refusal(
                RefusalCode.INVALID_INPUT,
                f"There is no scope {scope!r}: use {', '.join(SCOPES)}.",
                ("scopes", str(index)),
            )
    if command.expires_in_seconds is not None and not 1 <= command.expires_in_seconds <= SECONDS_MAX:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"A token lasts from 1 to {SECONDS_MAX} seconds.",
            ("expiresInSeconds",),
        )


async def rotate_token(session: WriteSession, token_id: UUID, keeper: Principal) -> CreatedToken:
    """A new secret for the same token; the old one stops working.

    Raises `Refusal` TOKEN_NOT_FOUND, NOT_ALLOWED or TOKEN_REVOKED.
    """
    check_heir(keeper, await _lock(session, token_id, keeper))
    secret = _new_secret()
    row = await session.sql.execute(
        update(tokens)
        .where(tokens.c.id == token_id)
        .values(secret_hash=hash_secret(secret), rotated_at=datetime.datetime.now(datetime.UTC))
        .returning(tokens)
    )
    return CreatedToken(secret, row.one())


async def revoke_token(session: WriteSession, token_id: UUID, keeper: Principal) -> Any:
    """End a token for good. Raises `Refusal` TOKEN_NOT_FOUND, NOT_ALLOWED or TOKEN_REVOKED."""
    await _lock(session, token_id, keeper)
    row = await session.sql.execute(
        update(tokens)
        .where(tokens.c.id == token_id)
        .values(revoked_at=datetime.datetime.now(datetime.UTC))
        .returning(tokens)
    )
    return row.one()


async def _lock(session: WriteSession, token_id: UUID, keeper: Principal) -> Any:
    found = (await session.sql.execute(select(tokens).where(tokens.c.id == token_id).with_for_update())).one_or_none()
    if found is None:
        raise token_not_found()
    check_keeper(keeper, found)
    if found.revoked_at is not None:
        raise Refusal(RefusalCode.TOKEN_REVOKED, "The token is revoked: create a new one.", ("id",))
    return found


async def find_token(session: ReadSession, token_id: UUID) -> Any:
    return (await session.execute(select(tokens).where(tokens.c.id == token_id))).one_or_none()


async def list_tokens(session: ReadSession) -> Sequence[Any]:
    return (await session.execute(select(tokens).order_by(tokens.c.id))).all()


async def find_principal(database: Database, secret: str) -> Principal | None:
    """The principal a secret stands for; None when it is unknown, revoked or expired."""
    record = await database.hot.fetchrow(
        "SELECT id, name, roles, scopes, warehouse_ids, channel_ids, expires_at FROM tokens"
        " WHERE secret_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        hash_secret(secret),
    )
    if record is None:
        return None
    return Principal(
        id=f"token:{record[0]}",
        name=record[1],
        roles=frozenset(Role(role) for role in record[2]),
        scopes=_limit(record[3]),
        warehouse_ids=_limit(record[4]),
        channel_ids=_limit(record[5]),
        token_id=str(record[0]),
        expires_at=record[6],
    )


def _limit(values: Any) -> Any:
    return None if values is None else frozenset(values)
