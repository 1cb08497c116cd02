"""What became of the replayed orders: every invoice accounted for, and nothing sold twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.replay.find_oversold import find_oversold
from app.replay.replay_retail import Replayed, count_kinds
from app.replay.retail_shop import HOUSES
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.online_retail import InvoiceKind
from domain.orders import OrderStatus

_STATUSES = """
SELECT o.status, count(*) FROM orders o
WHERE o.channel_id = ANY($1::int[]) AND o.external_id = ANY($2::text[])
GROUP BY 1
"""
_UNITS = """
SELECT count(*) AS lines, coalesce(sum(l.quantity), 0) AS ordered, coalesce(sum(l.allocated), 0) AS allocated,
  coalesce(sum(l.shipped), 0) AS shipped, coalesce(sum(l.cancelled), 0) AS cancelled,
  coalesce(sum(l.quantity - l.allocated - l.shipped - l.cancelled), 0) AS backordered
FROM orders o JOIN order_lines l ON l.order_id = o.id
WHERE o.channel_id = ANY($1::int[]) AND o.external_id = ANY($2::text[])
"""
_SPLIT = """
SELECT count(*) FILTER (WHERE n > 1), coalesce(sum(n), 0) FROM (
  SELECT count(DISTINCT f.warehouse_id) AS n FROM orders o JOIN fulfillment_orders f ON f.order_id = o.id
  WHERE o.channel_id = ANY($1::int[]) AND o.external_id = ANY($2::text[])
    AND f.status NOT IN ('CANCELLED', 'REJECTED') GROUP BY o.id
) p
"""


@dataclass(frozen=True, slots=True)
class RetailReport:
    """`lines`: (what, how much). `problems`: what does not add up; none when all is well."""

    lines: list[tuple[str, str]]
    problems: list[str]


async def report_retail(state: State, replayed: Replayed) -> RetailReport:
    """Compare what was said with what is on record, and the ledger with itself."""
    sales = [one.number for one in replayed.invoices if one.kind is InvoiceKind.SALE]
    of = (list(replayed.channels.values()), sales)
    database = state.database.hot
    statuses = {row[0]: row[1] for row in await database.fetch(_STATUSES, *of)}
    units: Any = await database.fetchrow(_UNITS, *of)
    split, parcels = await database.fetchrow(_SPLIT, *of)
    oversold = await find_oversold(database, list(HOUSES))
    ledger = await verify_ledger(state.database)
    kinds, story = count_kinds(replayed.invoices), replayed.story
    matched = set(story.matched)
    lines = [
        ("invoices in the file", str(len(replayed.invoices))),
        ("  sales, taken as orders", str(kinds[InvoiceKind.SALE])),
        ("  cancellations", str(kinds[InvoiceKind.CANCELLATION])),
        ("    of orders in the file", f"{len(matched)} ({sum(story.matched.values())} units)"),
        ("    of what nobody in it bought", f"{len(story.unmatched)} ({sum(story.unmatched.values())} units)"),
        ("  without goods, left out", str(kinds[InvoiceKind.NO_GOODS])),
        ("rows left out: no goods", str(sum(one.left_out for one in replayed.invoices))),
        *((f"orders {status.value}", str(statuses.get(status.value, 0))) for status in OrderStatus),
        ("orders split over warehouses", f"{split} ({parcels} parcels in all)"),
        ("order lines", str(units["lines"])),
        ("units ordered", str(units["ordered"])),
        *((f"  {name}", str(units[name])) for name in ("allocated", "shipped", "cancelled", "backordered")),
        ("SKUs oversold in a warehouse", str(len(oversold))),
        ("words taken", f"{len(story.words)} in {replayed.seconds:.1f} s"),
        ("ledger", f"{ledger.movements} movements, {len(ledger.problems)} problems"),
    ]
    return RetailReport(lines, [*_find_gaps(replayed, statuses, units), *oversold, *ledger.problems, *replayed.failed])


def _find_gaps(replayed: Replayed, statuses: dict[str, int], units: Any) -> list[str]:
    """Every sale is an order on record, and its units are what the file says, less what was taken back."""
    kinds, story, found = count_kinds(replayed.invoices), replayed.story, []
    if sum(statuses.values()) != kinds[InvoiceKind.SALE]:
        found.append(f"{kinds[InvoiceKind.SALE]} sales, but {sum(statuses.values())} orders on record.")
    ordered = sum(line.units for one in replayed.invoices if one.kind is InvoiceKind.SALE for line in one.lines)
    if units["ordered"] != ordered:
        found.append(f"{ordered} units sold, but {units['ordered']} ordered on record.")
    if units["cancelled"] != sum(story.matched.values()):
        found.append(f"{sum(story.matched.values())} units taken back, but {units['cancelled']} cancelled on record.")
    cancellations = set(story.matched) | set(story.unmatched)
    if len(cancellations) != kinds[InvoiceKind.CANCELLATION]:
        found.append(f"{kinds[InvoiceKind.CANCELLATION]} cancellations, but {len(cancellations)} were looked at.")
    return found
