"""`me`, and the life of tokens."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.ids import decode_uuid
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, make_page, page_size
from api.stock.types import Node
from app.calls import make_call
from app.identity.use_tokens import (
    TokenWanted,
    count_tokens,
    make_token,
    read_tokens,
    renew_token,
    withdraw_token,
)
from domain.identity import Role

KEEPERS = [Role.ADMIN, Role.ENGINEER]


@strawberry.type(description="An access token, without its secret.")
class Token(Node):
    name: str
    roles: list[Role]
    scopes: list[str] | None = strawberry.field(description="Null: all.")
    warehouses: list[str] | None = strawberry.field(description="Codes; null: all.")
    channels: list[str] | None = strawberry.field(description="Codes; null: all.")
    created_by: str
    created_at: datetime.datetime
    rotated_at: datetime.datetime | None
    expires_at: datetime.datetime | None
    revoked_at: datetime.datetime | None


@strawberry.type
class TokenConnection(Counted):
    edges: list[Edge[Token]]
    nodes: list[Token]
    page_info: PageInfo


@strawberry.type(description="Whose token this request carries.")
class Me:
    name: str
    roles: list[Role]
    scopes: list[str] | None = strawberry.field(description="Null: all.")
    warehouses: list[str] | None = strawberry.field(description="Codes of those you may see; null: all.")


@strawberry.input(description="At most what your own token may do. An empty list of scopes or codes allows nothing.")
class TokenCreateInput:
    name: str
    roles: list[Role]
    scopes: list[str] | None = strawberry.field(default=None, description="Null: all.")
    warehouses: list[str] | None = strawberry.field(default=None, description="Codes; null: all.")
    channels: list[str] | None = strawberry.field(default=None, description="Codes; null: all.")
    expires_in_seconds: int | None = strawberry.field(default=None, description="Null: it never expires.")
    idempotency_key: str | None = None


@strawberry.input
class TokenRotateInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input
class TokenRevokeInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class TokenSecretPayload:
    user_errors: list[UserError]
    secret: str | None = strawberry.field(
        default=None,
        description="Shown once. Null when the idempotency key was used before: rotate the token to get a new one.",
    )
    token: Token | None = None


@strawberry.type
class TokenCreatePayload(TokenSecretPayload): ...


@strawberry.type
class TokenRotatePayload(TokenSecretPayload): ...


@strawberry.type
class TokenRevokePayload:
    user_errors: list[UserError]
    token: Token | None = None


_PLAIN = (
    *("scopes", "warehouses", "channels", "created_by"),
    *("created_at", "rotated_at", "expires_at", "revoked_at"),
)


def token_from_answer(plain: dict[str, Any]) -> Token:
    return Token(
        key=plain["id"],
        name=plain["name"],
        roles=[Role(role) for role in plain["roles"]],
        **{name: plain[name] for name in _PLAIN},
    )


async def _create(context: Context, command: TokenCreateInput) -> dict[str, Any]:
    limits = (command.scopes, command.warehouses, command.channels)
    wanted = TokenWanted(command.name, command.roles, *limits, command.expires_in_seconds)
    call = make_call(context.principal, "token:create", command.idempotency_key, wanted)
    made = await make_token(context.state, context.principal, wanted, call)
    return {"secret": made.secret, "token": token_from_answer(made.token)}


async def _rotate(context: Context, command: TokenRotateInput) -> dict[str, Any]:
    token_id = decode_uuid(command.id, "Token")
    call = make_call(context.principal, "token:rotate", command.idempotency_key, token_id)
    made = await renew_token(context.state, context.principal, token_id, call)
    return {"secret": made.secret, "token": token_from_answer(made.token)}


async def _revoke(context: Context, command: TokenRevokeInput) -> dict[str, Any]:
    token_id = decode_uuid(command.id, "Token")
    call = make_call(context.principal, "token:revoke", command.idempotency_key, token_id)
    return {"token": token_from_answer(await withdraw_token(context.state, context.principal, token_id, call))}


@strawberry.type
class IdentityQuery:
    @strawberry.field(directives=requires(EVERYONE))
    async def me(self, info: Info) -> Me:
        principal = info.context.principal
        houses = await info.context.state.lookup.warehouses()
        return Me(
            name=principal.name,
            roles=sorted(principal.roles),
            scopes=None if principal.scopes is None else sorted(principal.scopes),
            warehouses=None
            if principal.warehouse_ids is None
            else [house.code for house in houses.values() if house.id in principal.warehouse_ids],
        )

    @strawberry.field(
        directives=requires(KEEPERS, "tokens:write"),
        description="Those that you could have made yourself, newest first. `active`: that open something now, or not.",
    )
    async def tokens(
        self, info: Info, active: bool | None = None, first: int = 50, after: str | None = None
    ) -> TokenConnection:
        size, before = page_size(first), after_uuid(after, "TokenCursor")
        database, principal = info.context.state.database, info.context.principal
        rows = await read_tokens(database, principal, active, before, size + 1)
        page = make_page([token_from_answer(row) for row in rows], size, "TokenCursor", after)
        return TokenConnection(count=partial(count_tokens, database, principal, active), **page)


@strawberry.type
class IdentityMutation:
    @strawberry.mutation(directives=requires(KEEPERS, "tokens:write"))
    async def token_create(self, info: Info, input: TokenCreateInput) -> TokenCreatePayload:
        return await answer(TokenCreatePayload, _create(info.context, input))

    @strawberry.mutation(directives=requires(KEEPERS, "tokens:write"), description="A new secret; the old one ends.")
    async def token_rotate(self, info: Info, input: TokenRotateInput) -> TokenRotatePayload:
        return await answer(TokenRotatePayload, _rotate(info.context, input))

    @strawberry.mutation(directives=requires(KEEPERS, "tokens:write"))
    async def token_revoke(self, info: Info, input: TokenRevokeInput) -> TokenRevokePayload:
        return await answer(TokenRevokePayload, _revoke(info.context, input))
