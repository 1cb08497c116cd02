"""A refund as its channel is told of it, and the lines of the order that it is about: each unit of them once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from adapters.channels.returns import Refund
from app.floor.find_document import write_label
from app.returns.split_kits import read_sold_lines
from app.state import State
from domain.returned_lines import name_lines

_HOLD = "SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE"
_UNITS = """
SELECT l.sku_id, CASE WHEN l.received > 0 THEN coalesce(sum(i.quantity) FILTER (WHERE i.disposition <> 'MISSING'), 0)
  ELSE l.authorized END::int
FROM return_lines l LEFT JOIN return_inspections i ON i.return_id = l.return_id AND i.line = l.line
WHERE l.return_id = $1 AND l.sku_id IS NOT NULL GROUP BY l.line, l.sku_id, l.received, l.authorized
"""
_OTHERS = """
SELECT refund_external_id FROM returns WHERE order_id = $1 AND id <> $2 AND refund_external_id IS NOT NULL
"""
_NAMED = """
SELECT r.id, r.sold_lines::text FROM returns r
WHERE r.order_id = $1 AND r.sold_lines IS NOT NULL AND r.state <> 'CANCELLED'
  AND (r.id = $2 OR r.state = 'OPEN' OR r.money IN ('TOLD', 'CONFIRMED')
    OR EXISTS (SELECT FROM return_lines l WHERE l.return_id = r.id AND l.received > 0))
"""
"""Of a return that ended, and nothing came of it and nothing was paid, the units are the customer's still."""
_KNOWN = "SELECT sold_lines::text FROM returns WHERE id = $1"
_KEEP = "UPDATE returns SET sold_lines = $2::jsonb WHERE id = $1"


async def write_refund(state: State, row: Any, *, pays: bool) -> Refund:
    """`row`: of the return and its order, as it was claimed. `pays` False: only looked for, so without lines."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        lines = await _name_lines(connection, row["id"], row["order_id"]) if pays else ()
        others = await connection.fetch(_OTHERS, row["order_id"], row["id"])
    return Refund(
        *(row["order_external_id"], row["external_id"], lines, row["refund_amount"]),
        row["refund_currency"] or row["currency"] or "",
        str(row["id"]),
        row["refund_first_at"],
        write_label("return", row["number"]),
        frozenset(found[0] for found in others),
        row["refund_external_id"],
    )


async def _name_lines(connection: Any, return_id: UUID, order_id: UUID) -> tuple[tuple[str, int], ...]:
    """With the order held, so that two returns never name one unit; kept, so that a retry names the same."""
    await connection.execute(_HOLD, order_id)
    units = {sku_id: count for sku_id, count in await connection.fetch(_UNITS, return_id) if count}
    announced: dict[str, int] = {}
    taken: Counter[str] = Counter()
    for row in await connection.fetch(_NAMED, order_id, return_id):
        known = orjson.loads(row["sold_lines"])
        if row["id"] == return_id:
            announced = known
        else:
            taken.update(known)
    named = name_lines(await read_sold_lines(connection, order_id), units, announced, taken)
    await connection.execute(_KEEP, return_id, orjson.dumps(named).decode())
    return tuple(named.items())


async def note_lines(connection: Any, return_id: UUID, lines: Iterable[tuple[str, int]]) -> None:
    """The channel names lines of the order that are coming: the most of each that it ever said."""
    known = orjson.loads(await connection.fetchval(_KNOWN, return_id) or "{}")
    said = {name: max(units, known.get(name, 0)) for name, units in lines if units > 0}
    if said and (merged := known | said) != known:
        await connection.execute(_KEEP, return_id, orjson.dumps(merged).decode())
