"""Note that something speaks against a number in the books: the next plan counts it first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.counts import CountCause

NOTED_MAX = 1_000
_NOTE = """
INSERT INTO stock_suspicions (sku_id, warehouse_id, kind, document)
SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::text[])
"""


class Suspicion(NamedTuple):
    """`document`: what it was noticed at, as in `count:…`."""

    sku_id: int
    warehouse_id: int
    kind: CountCause
    document: str | None = None


async def suspect_stock(connection: Any, suspicions: Sequence[Suspicion]) -> None:
    """Keep them; of very many at once only the first `NOTED_MAX`."""
    kept = suspicions[:NOTED_MAX]
    if kept:
        await connection.execute(
            _NOTE,
            [one.sku_id for one in kept],
            [one.warehouse_id for one in kept],
            [one.kind.value for one in kept],
            [one.document for one in kept],
        )
