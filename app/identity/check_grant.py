"""What a keeper of tokens may grant: never more than it could do itself, unless it is an admin.

Without this rule whoever may make tokens could make itself anything, and whoever may rotate them could take over
an admin's, since rotating shows the new secret.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from domain.errors import Refusal, RefusalCode
from domain.identity import Principal, Role


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token may do; None means unlimited."""

    roles: Collection[Role]
    scopes: Collection[str] | None
    warehouse_ids: Collection[int] | None
    channel_ids: Collection[int] | None
    expires_at: datetime.datetime | None


def check_grant(keeper: Principal, grant: Grant) -> None:
    """Refuse with NOT_ALLOWED, in this order: roles, scopes, warehouses, channels, time."""
    if Role.ADMIN not in keeper.roles and not keeper.roles.issuperset(grant.roles):
        raise _refuse("A token's roles are at most its maker's, unless an admin makes it.", "roles")
    if not _within(grant.scopes, keeper.scopes):
        raise _refuse("Your token is limited to scopes: name some of them.", "scopes")
    if not _within(grant.warehouse_ids, keeper.warehouse_ids):
        raise _refuse("Your token is limited to warehouses: name some of them.", "warehouses")
    if not _within(grant.channel_ids, keeper.channel_ids):
        raise _refuse("Your token is limited to channels: name some of them.", "channels")
    if _outlives(grant.expires_at, keeper):
        raise _refuse("Your token ends, and what it makes ends no later: say expiresInSeconds.", "expiresInSeconds")


def check_keeper(keeper: Principal, row: Any) -> Any:
    """The token (a row of `tokens`), unless its keeper could not have made it.

    One that reaches outside the keeper's warehouses or channels is TOKEN_NOT_FOUND, as if it did not exist.
    """
    if not (_within(row.warehouse_ids, keeper.warehouse_ids) and _within(row.channel_ids, keeper.channel_ids)):
        raise token_not_found()
    if Role.ADMIN not in keeper.roles and not keeper.roles.issuperset(row.roles):
        raise _refuse("The token has a role that you do not have: ask an admin.", "id")
    if not _within(row.scopes, keeper.scopes):
        raise _refuse("The token has scopes that yours does not have: ask an admin.", "id")
    return row


def check_heir(keeper: Principal, row: Any) -> None:
    """Refuse to show the new secret of a token that outlives its keeper's own."""
    if _outlives(row.expires_at, keeper):
        raise _refuse("The token lasts longer than yours: ask an admin.", "id")


def token_not_found() -> Refusal:
    return Refusal(RefusalCode.TOKEN_NOT_FOUND, "There is no such token.", ("id",))


def _within(wanted: Collection[Any] | None, limit: frozenset[Any] | None) -> bool:
    return limit is None or (wanted is not None and limit.issuperset(wanted))


def _outlives(expires_at: datetime.datetime | None, keeper: Principal) -> bool:
    """A person's session at an OpenID provider always ends, and sets no limit; a token of ours does."""
    if keeper.token_id is None or keeper.expires_at is None:
        return False
    return expires_at is None or expires_at > keeper.expires_at


def _refuse(message: str, field: str) -> Refusal:
    return Refusal(RefusalCode.NOT_ALLOWED, message, (field,))
