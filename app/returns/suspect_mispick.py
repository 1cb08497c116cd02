"""A unit that came back of an order that never had it was perhaps sent by mistake: then two numbers are wrong where it
was shipped, of what was sent and of what should have been. Nothing is corrected on that word: both are counted first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from app.counts.suspect_stock import Suspicion, suspect_stock
from app.returns.hold_return import HeldReturn
from domain.counts import CountCause
from domain.returns import Finding, ReturnLine

_SHIPPED = """
SELECT p.warehouse_id, l.sku_id, max(p.shipped_at) AS shipped_at FROM fulfillments p
JOIN fulfillment_lines f ON f.fulfillment_id = p.id JOIN order_lines l ON l.order_id = p.order_id AND l.line = f.line
WHERE p.order_id = $1 AND l.sku_id IS NOT NULL GROUP BY 1, 2
"""


async def suspect_mispick(
    connection: Any, held: HeldReturn, order_id: UUID | None, lines: Iterable[ReturnLine]
) -> None:
    """`lines`: all of the return after the parcel. What was counted since it was shipped is right by now: the doubt is
    of that moment. Of an order with several SKUs only those are doubted that should have come back and did not.
    """
    after, before = list(lines), {line.line for line in held.lines}
    strange = [line.sku_id for line in after if line.finding is Finding.NOT_SOLD and line.line not in before]
    if order_id is None or not strange:
        return
    shipped = await connection.fetch(_SHIPPED, order_id)
    missing = {line.sku_id for line in after if line.authorized > line.received}
    if not missing and len(known := {row["sku_id"] for row in shipped}) == 1:
        missing = known
    doubts: dict[tuple[int, int], Suspicion] = {}
    for row in shipped:
        if missing and row["sku_id"] not in missing:
            continue
        for sku_id in (*strange, *({row["sku_id"]} & missing)):
            key = (sku_id, row["warehouse_id"])
            doubts[key] = Suspicion(*key, CountCause.MISPICK, held.document, row["shipped_at"])
    await suspect_stock(connection, list(doubts.values()))
