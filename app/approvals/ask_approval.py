"""A change of stock that waits for a second person: kept as what it would move, until somebody decides."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from adapters.postgres.documents import DocumentTable
from adapters.postgres.rows import RowShape
from domain.provenance import Remarks

ADJUSTMENTS = DocumentTable(
    "adjustments",
    RowShape(
        (
            *(("id", "uuid"), ("kind", "text"), ("warehouse_id", "int"), ("damage_id", "uuid"), ("disposal", "text")),
            *(("lines", "json"), ("units", "bigint"), ("value", "numeric"), ("reason", "text"), ("note", "text")),
            *(("reference", "text"), ("requested_by", "text"), ("requested_name", "text")),
            *(("effective_at", "timestamptz"), ("requested_at", "timestamptz"), ("transfer_id", "uuid")),
        )
    ),
)
KEEP = f"INSERT INTO adjustments ({', '.join(name for name, _ in ADJUSTMENTS.shape.columns)}) VALUES ({{}})"  # noqa: S608


class Move(NamedTuple):
    """Units of a SKU from one account to another. `bin`: into which they go, or from which they were taken."""

    sku_id: int
    source: str
    target: str
    quantity: int
    bin: str | None = None


class Asker(NamedTuple):
    """Who asks: the principal's id, and their name."""

    id: str
    name: str


def adjustment_row(
    adjustment_id: UUID,
    kind: str,
    warehouse_id: int,
    moves: Sequence[Move],
    value: Decimal | None,
    remarks: Remarks,
    asker: Asker,
    effective_at: datetime.datetime | None,
    now: datetime.datetime,
    disposal: tuple[UUID, str] | None = None,
    transfer_id: UUID | None = None,
) -> tuple[Any, ...]:
    """A row of `ADJUSTMENTS`. `disposal`: the damage it disposes of, and how. `transfer_id`: what it lost."""
    damage_id, how = disposal or (None, None)
    lines = orjson.dumps([move._asdict() for move in moves]).decode()
    units = sum(move.quantity for move in moves)
    said = (remarks.reason, remarks.note, remarks.reference)
    head = (adjustment_id, kind, warehouse_id, damage_id, how, lines, units, value)
    return (*head, *said, *asker, effective_at, now, transfer_id)


async def keep_adjustment(connection: Any, row: tuple[Any, ...]) -> None:
    await connection.execute(KEEP.format(", ".join(f"${n}" for n in range(1, len(row) + 1))), *row)
