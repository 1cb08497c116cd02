"""Keep what was found damaged: what happened to it, and what shows it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.calls import check_text
from app.floor.perform import FloorCall
from domain.errors import Refusal, RefusalCode

CAUSE_LENGTH_MAX = 100
EVIDENCE_LENGTH_MAX = 500
_KEEP = """
INSERT INTO damages (id, warehouse_id, sku_id, origin, cause, evidence, note, reference, document, quantity, actor,
                     reported_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


@dataclass(frozen=True, slots=True)
class DamageFound:
    """Units of a SKU. `evidence` says where a picture or a report of it is."""

    sku_id: int
    quantity: int
    cause: str
    evidence: str | None = None
    id: UUID = field(default_factory=uuid7)


def check_damage(cause: str, evidence: str | None, path: tuple[str, ...] = ()) -> None:
    """Raises `Refusal` INVALID_INPUT."""
    if not cause.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Say the cause: DROPPED, WATER, or one of your own.", (*path, "cause"))
    check_text(cause, "cause", CAUSE_LENGTH_MAX, path=path)
    check_text(evidence, "evidence", EVIDENCE_LENGTH_MAX, path=path)


async def keep_damages(
    connection: Any,
    act: FloorCall,
    warehouse_id: int,
    origin: str,
    found: Sequence[DamageFound],
    now: datetime.datetime,
    document: str | None = None,
) -> list[UUID]:
    """One damage for each; the units stand in `damaged` already, by the caller's posting. Returns their ids.

    Raises `Refusal` INVALID_INPUT.
    """
    ids = []
    for one in found:
        check_damage(one.cause, one.evidence)
        remarks = act.remarks
        what = (one.cause, one.evidence, remarks.note, remarks.reference, document, one.quantity)
        rest = (act.provenance.actor, act.at(now))
        await connection.execute(_KEEP, one.id, warehouse_id, one.sku_id, origin, *what, *rest)
        ids.append(one.id)
    return ids
