"""What a partner says is done in its name: by a principal that sees its warehouse alone."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall, hash_input
from app.fulfillment.change_work import Ask
from domain.identity import Principal, Role
from domain.provenance import Provenance


def partner_principal(partner: Any) -> Principal:
    """`partner`: a row with `id`, `code` and `warehouse_id`."""
    houses = frozenset({partner["warehouse_id"]})
    return Principal(f"partner:{partner['id']}", partner["code"], frozenset({Role.PARTNER}), warehouse_ids=houses)


def partner_ask(
    partner: Any, work_id: UUID, *, key: str | None = None, at: datetime.datetime | None = None, note: str | None = None
) -> Ask:
    """`key`: of what happens once, however often it is told. `at`: when it happened; None: just now."""
    actor = f"partner:{partner['id']}"
    call = None if key is None else IdempotentCall(actor, key, "partner", hash_input(key))
    return Ask(work_id, Provenance(partner["code"], actor), call, occurred_at=at, note=note, left=True)
