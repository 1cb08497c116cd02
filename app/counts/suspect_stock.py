"""Note that something speaks against a number in the books: the next plan counts it first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.counts import CountCause
from domain.errors import Refusal

NOTED_MAX = 1_000
_NOTE = """
INSERT INTO stock_suspicions (sku_id, warehouse_id, kind, document, noticed_at)
SELECT u.sku, u.house, u.kind, u.document, coalesce(u.at, now())
FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::timestamptz[]) AS u (sku, house, kind, document, at)
"""
_NOTE_ONCE = """
INSERT INTO stock_suspicions (sku_id, warehouse_id, kind, document)
SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
  SELECT FROM stock_suspicions s
  WHERE s.sku_id = $1 AND s.warehouse_id = $2 AND s.kind = $3 AND s.noticed_at > now() - interval '1 hour')
"""
"""A tablet sends its queue again and again: what it is refused for is one doubt."""


class Suspicion(NamedTuple):
    """`document`: what it was noticed at, as in `count:…`. `noticed_at`: if not just now."""

    sku_id: int
    warehouse_id: int
    kind: CountCause
    document: str | None = None
    noticed_at: datetime.datetime | None = None


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
            [one.noticed_at for one in kept],
        )


async def suspect_once(connection: Any, suspicion: Suspicion) -> None:
    """Keep it, unless the same was noticed within the last hour."""
    sku_id, warehouse_id, kind, document, _ = suspicion
    await connection.execute(_NOTE_ONCE, sku_id, warehouse_id, kind.value, document)


async def suspect_refused(connection: Any, refusal: Refusal) -> None:
    """A refusal that shows books with less than somebody has in hand. `connection`: outside what was rolled back."""
    if refusal.doubt is not None:
        await suspect_once(connection, Suspicion(*refusal.doubt, CountCause.NEGATIVE))
