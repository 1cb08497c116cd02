"""Who may do what: roles, scopes and limits of a principal, and the requirement a field states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person or system is employed for."""

    ADMIN = "ADMIN"
    OPERATIONS = "OPERATIONS"
    WAREHOUSE = "WAREHOUSE"
    ECOMMERCE = "ECOMMERCE"
    FINANCE = "FINANCE"
    SUPPORT = "SUPPORT"
    ENGINEER = "ENGINEER"
    PARTNER = "PARTNER"
    VIEWER = "VIEWER"


SCOPES = (
    "stock:read",
    "stock:write",
    "orders:read",
    "orders:write",
    "fulfillment:read",
    "fulfillment:write",
    "transfers:write",
    "returns:write",
    "channels:read",
    "channels:write",
    "finance:read",
    "tokens:write",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `scopes`, `warehouse_ids` and `channel_ids` are None when unlimited; a limit that is an empty set
    shows nothing. `id` stays the same when a token is rotated.
    """

    id: str
    name: str
    roles: frozenset[Role]
    scopes: frozenset[str] | None = None
    warehouse_ids: frozenset[int] | None = None
    channel_ids: frozenset[int] | None = None
    token_id: str | None = None
    expires_at: datetime | None = None

    def may(self, roles: Iterable[Role], scope: str | None) -> bool:
        """Whether one of `roles` is held and `scope`, if any, is not withheld from this principal."""
        if self.roles.isdisjoint(roles):
            return False
        return scope is None or self.scopes is None or scope in self.scopes

    def sees_warehouse(self, warehouse_id: int) -> bool:
        return self.warehouse_ids is None or warehouse_id in self.warehouse_ids

    def sees_channel(self, channel_id: int) -> bool:
        return self.channel_ids is None or channel_id in self.channel_ids
