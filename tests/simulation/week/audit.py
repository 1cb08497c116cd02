"""The audit of a quiet moment: the books against the world, to the unit; and every open case against what was done."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from api.ids import decode_id
from app.stock.verify_ledger import verify_ledger
from tests.simulation.week.bins import audit_bins
from tests.simulation.week.company import World
from tests.simulation.week.count import audit_accuracy
from tests.simulation.week.kits import audit_kits, unpack
from tests.simulation.week.legacy import OLD, audit_legacy
from tests.simulation.week.outside import list_cancelled

PROBLEMS_MAX = 12
STORIES_MAX, STORY_LINES = 3, 150
_MOVED = """
SELECT m.effective_at, concat_ws(' ', w.code, m.id, ':', m.quantity, m.from_bucket, '->', m.to_bucket, m.reason, m.document, m.note,
  'posted', to_char(m.posted_at, 'HH24:MI:SS.US')) AS what
FROM stock_movements m JOIN skus s ON s.id = m.sku_id JOIN warehouses w ON w.id = m.warehouse_id
WHERE s.code = $1 ORDER BY m.id DESC LIMIT $2
"""
_PICKED = """
SELECT coalesce(p.occurred_at, p.posted_at) AS effective_at, concat_ws(' ', w.code, 'picked', p.quantity, p.document, 'posted',
  to_char(p.posted_at, 'HH24:MI:SS.US')) AS what
FROM pick_records p JOIN skus s ON s.id = p.sku_id JOIN warehouses w ON w.id = p.warehouse_id
WHERE s.code = $1 ORDER BY p.id DESC LIMIT $2
"""
_SCANNED = """
SELECT n.scanned_at AS effective_at, concat_ws(' ', w.code, 'count', n.count_id, 'scanned', n.quantity, 'expected', n.expected,
  'after movement', n.movement_id) AS what
FROM count_scans n JOIN count_lines l USING (count_id, line) JOIN skus s ON s.id = l.sku_id
JOIN warehouses w ON w.id = l.warehouse_id
WHERE s.code = $1 ORDER BY n.id DESC LIMIT $2
"""
_BOOKS = """
SELECT w.code AS house, s.code AS sku, l.available + l.reserved + l.committed AS sound, l.damaged, l.quality_control,
  l.in_transit
FROM stock_levels l JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id
"""
_CASES = "SELECT kind, subject, title, detail FROM exception_cases WHERE state <> 'RESOLVED'"
_WANTING = """
SELECT 'order:' || o.id AS subject, c.kind <> 'B2B' AS market, sum(l.quantity - l.allocated - l.shipped - l.cancelled)::int AS units
FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN channels c ON c.id = o.channel_id
GROUP BY 1, 2
"""
_SHIPPED = """
SELECT o.id::text AS id, o.status, l.sku_code AS sku, sum(l.shipped)::int AS shipped
FROM orders o JOIN order_lines l ON l.order_id = o.id GROUP BY 1, 2, 3
"""
_SHIPPED_ALONE = """
SELECT order_id::text AS id, sku_code AS sku, sum(shipped)::int AS shipped
FROM order_lines WHERE external_id NOT LIKE '%#%#%' AND shipped > 0 GROUP BY 1, 2
"""
"""Without what went as a part of a kit."""
_BACK = """
SELECT r.order_id::text AS id, s.code AS sku, sum(greatest(l.authorized, l.received))::int AS units
FROM returns r JOIN return_lines l ON l.return_id = r.id JOIN skus s ON s.id = l.sku_id
WHERE r.order_id IS NOT NULL AND r.state <> 'CANCELLED' GROUP BY 1, 2
"""
_LATE_TRANSFERS = "SELECT 'transfer:' || id AS subject FROM transfers WHERE state = 'AWAITING_APPROVAL'"
_LATE_ADJUSTMENTS = "SELECT 'adjustment:' || id AS subject FROM adjustments WHERE state = 'PENDING'"
_ODD_TRANSFERS = """
SELECT 'transfer:' || t.id AS subject FROM transfers t JOIN transfer_lines l ON l.transfer_id = t.id
WHERE t.state NOT IN ('CLOSED', 'CANCELLED') GROUP BY t.id HAVING sum(l.damaged + l.missing + l.returned_damaged) > 0
"""
_OPEN_TRANSFERS = "SELECT 'transfer:' || id AS subject FROM transfers WHERE state NOT IN ('CLOSED', 'CANCELLED')"
_ODD_RETURNS = """
SELECT DISTINCT 'return:' || r.id AS subject FROM returns r JOIN return_lines l ON l.return_id = r.id
WHERE l.finding NOT IN ('EXPECTED', 'UNANNOUNCED') OR (l.finding = 'EXPECTED' AND l.received > l.authorized)
"""
_UNINSPECTED = """
SELECT DISTINCT 'return:' || r.id AS subject FROM returns r JOIN return_lines l ON l.return_id = r.id
WHERE r.state = 'OPEN' AND l.received > l.inspected AND l.sku_id IS NOT NULL
"""
_STOCK = "SELECT 'stock:' || s.id || '.' || w.id AS subject, s.code AS sku, w.code AS house FROM skus s, warehouses w"
_OF_ORDER = """
SELECT at, concat_ws(' ', 'order', actor, action, data::text) AS what FROM order_events WHERE order_id = $1
UNION ALL SELECT shipped_at, concat_ws(' ', 'parcel', f.id, 'told', to_char(f.created_at, 'HH24:MI:SS.US'), l.line, l.quantity)
  FROM fulfillments f JOIN fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = $1
UNION ALL SELECT r.created_at, concat_ws(' ', 'return', r.id, r.origin, r.state, l.finding, s.code, 'authorized', l.authorized,
  'received', l.received)
  FROM returns r JOIN return_lines l ON l.return_id = r.id LEFT JOIN skus s ON s.id = l.sku_id WHERE r.order_id = $1
UNION ALL SELECT now(), concat_ws(' ', 'line', line, sku_code, quantity, 'allocated', allocated, 'shipped', shipped, 'cancelled',
  cancelled) FROM order_lines WHERE order_id = $1
UNION ALL SELECT opened_at, concat_ws(' ', 'case', kind, state, title, detail, resolved_at) FROM exception_cases
  WHERE subject = 'order:' || $1::text
ORDER BY 1
"""
ORDER_KINDS = ("OVERSELL", "ORDER_PROBLEM", "SHORT_PICK", "REJECTION", "ALLOCATION_IMPOSSIBLE")


async def audit(world: World) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    problems = (await verify_ledger(world.state.database)).problems
    problems += await compare_books(world)
    problems += await audit_bins(world) + await audit_kits(world) + await audit_legacy(world)
    problems += await judge_cases(world)
    problems += (await audit_accuracy(world))[0]
    return problems[:PROBLEMS_MAX]


async def compare_books(world: World) -> list[str]:
    """Every warehouse, book and SKU: the world, what the books are known to say otherwise, what waits to be known."""
    said: Counter[tuple[str, str, str]] = Counter()
    for row in await world.state.database.hot.fetch(_BOOKS):
        for book in ("sound", "damaged", "quality_control", "in_transit"):
            said[row["house"], book, row["sku"]] = row[book]
    known = world.truth.expected_books(world.trucks)
    pending = [effect for tablet in world.tablets for one in tablet.queue for effect in one.act.effects]
    pending += [effect for act, _ in world.waiting.values() for effect in act.effects]
    for house, book, sku, units in pending:
        known[house, book, sku] -= units
    return [
        f"{key[2]} in {key[0]}: {key[1]} is {said[key]} in the books, and must be {known[key]}"
        for key in sorted(set(said) | set(known))
        if said[key] != known[key]
    ]


async def tell_story(world: World, problems: list[str]) -> list[str]:
    """For the SKUs that are named: the ledger's latest movements beside what was really done; for orders, all of it."""
    lines = []
    for sku in sorted({found for problem in problems for found in re.findall(r"SKU-\d+", problem)})[:STORIES_MAX]:
        told = []
        for query in (_MOVED, _PICKED, _SCANNED):
            rows = await world.state.database.hot.fetch(query, sku, STORY_LINES)
            told += [(row["effective_at"], f"  books  {row['what']}") for row in rows]
        told += [(at, f"  world  {what}") for at, of, what in world.truth.story if of == sku][-STORY_LINES:]
        lines += [f"{sku}:", *(f"{at:%H:%M:%S.%f} {what}" for at, what in sorted(told))]
    for order in sorted({found for problem in problems for found in re.findall(r"order:(\S+)", problem)})[:STORIES_MAX]:
        rows = await world.state.database.hot.fetch(_OF_ORDER, UUID(order))
        lines += [
            f"{order}, wanted {world.orders.get(order)}:",
            *(f"{row['at']:%H:%M:%S.%f} {row['what']}" for row in rows),
        ]
    return lines


async def _subjects(world: World, query: str) -> set[str]:
    return {row["subject"] for row in await world.state.database.hot.fetch(query)}


def _uuid(global_id: str) -> str:
    return str(UUID(decode_id(global_id)[1]))


async def judge_cases(world: World) -> list[str]:
    """No open case without its reason, and no reason without its case."""
    rows = await world.state.database.hot.fetch(_CASES)
    open_: dict[str, set[str]] = {}
    for row in rows:
        open_.setdefault(row["kind"], set()).add(row["subject"])
    problems = []
    for kind, (must, may) in (await _reasons(world)).items():
        found = open_.pop(kind, set())
        problems += [f"{kind} of {subject} is open without a reason" for subject in sorted(found - may)]
        problems += [f"{kind} of {subject} should be open and is not" for subject in sorted(must - found)]
    problems += await _judge_orders(world, open_)
    told = {(row["kind"], row["subject"]): f"{row['title']}: {row['detail']}" for row in rows}
    for kind, subjects in open_.items():
        problems += [f"{kind} of {one} is open without a reason: {told[kind, one]}" for one in sorted(subjects)]
    return problems


async def _reasons(world: World) -> dict[str, tuple[set[str], set[str]]]:
    """By kind: what must be open, and what may be."""
    waiting = await _subjects(world, _LATE_TRANSFERS) | await _subjects(world, _LATE_ADJUSTMENTS)
    said = {f"transfer:{_uuid(one)}" for one in world.discrepant}
    odd, uninspected = await _subjects(world, _ODD_RETURNS), await _subjects(world, _UNINSPECTED)
    stock = {(r["sku"], r["house"]): r["subject"] for r in await world.state.database.hot.fetch(_STOCK)}
    short = {stock[key] for key in world.unposted}
    differing = {stock[sku, OLD] for sku in world.differing}
    cancelled, parcels = await list_cancelled(world)
    gone, unexpected, ended = await _list_late(world)
    return {
        "APPROVAL_WAITING": (waiting, waiting),
        "TRANSFER_DISCREPANCY": (
            await _subjects(world, _ODD_TRANSFERS),
            said & await _subjects(world, _OPEN_TRANSFERS),
        ),
        "RETURN_MISMATCH": (odd, odd),
        "RETURN_UNINSPECTED": (uninspected, uninspected),
        "COUNT_SHORTAGE": (short, short),
        "STOCK_DIFFERENCE": (differing, differing),
        "CHANGE_REFUSED": (unexpected, gone | ended | cancelled),
        "CONFIRMATION_REFUSED": (set(), parcels),
    }


async def _list_late(world: World) -> tuple[set[str], set[str], set[str]]:
    """Orders of which more left than their buyers want now, by themselves or in kits, those of them of which not all of
    that is in returns, and orders that had ended when more was wanted of them.
    """
    shipped: dict[str, dict[str, int]] = {}
    ended = set()
    for row in await world.state.database.hot.fetch(_SHIPPED):
        shipped.setdefault(row["id"], {})[row["sku"]] = row["shipped"]
        if row["status"] in {"SHIPPED", "CANCELLED"}:
            ended.add(row["id"])
    back: dict[str, Counter[str]] = defaultdict(Counter)
    for row in await world.state.database.hot.fetch(_BACK):
        back[row["id"]][row["sku"]] = row["units"]
    gone, unexpected, late = set(), set(), set()
    for row in await world.state.database.hot.fetch(_SHIPPED_ALONE):
        one = world.orders.get(row["id"])
        if one is not None and (one.cancelled or row["shipped"] > one.lines.get(row["sku"], 0)):
            gone.add(f"order:{row['id']}")
    for key, order in world.orders.items():
        wanted = {} if order.cancelled else unpack(world, order.lines)
        left = shipped.get(key, {})
        if any(n > wanted.get(sku, 0) for sku, n in left.items()):
            gone.add(f"order:{key}")
        if any(n > wanted.get(sku, 0) + back[key][sku] for sku, n in left.items()):
            unexpected.add(f"order:{key}")
        if key in ended and any(n > left.get(sku, 0) for sku, n in wanted.items()):
            late.add(f"order:{key}")
    return gone, unexpected, late


async def _judge_orders(world: World, open_: dict[str, set[str]]) -> list[str]:
    """Who waits for units has exactly a case that says why."""
    rows = await world.state.database.hot.fetch(_WANTING)
    wanting = {row["subject"] for row in rows if row["units"]}
    reasons = {
        "SHORT_PICK": {f"order:{_uuid(one)}" for one in world.short},
        "REJECTION": {f"order:{_uuid(one)}" for one in world.rejected},
    }
    problems, told = [], set()
    for kind in ORDER_KINDS:
        found = open_.pop(kind, set())
        told |= found
        unfounded = found - (wanting & reasons.get(kind, wanting))
        problems += [f"{kind} of {subject} is open without a reason" for subject in sorted(unfounded)]
    problems += [f"{subject} waits for units and nobody is told" for subject in sorted(wanting - told)]
    return problems


async def report(world: World) -> dict[str, Any]:
    """What happened, for people."""
    _, sums = await audit_accuracy(world)
    cases = await world.state.database.hot.fetch(
        "SELECT kind, state, count(*) FROM exception_cases GROUP BY 1, 2 ORDER BY 1, 2"
    )
    movements = await world.state.database.hot.fetchval("SELECT count(*) FROM stock_movements")
    statuses = await world.state.database.hot.fetch("SELECT status, count(*) FROM orders GROUP BY 1 ORDER BY 1")
    works = await world.state.database.hot.fetch(
        "SELECT status, count(*) FROM fulfillment_orders GROUP BY 1 ORDER BY 1"
    )
    short = await world.state.database.hot.fetch(
        "SELECT reason, sum(quantity) FROM stock_movements WHERE reason IN ('SHORT_PICK', 'KIT_SHORT') GROUP BY 1"
    )
    lines, right = sums["lines"], sums["linesRight"]
    return {
        "done": dict(world.tally.done.most_common()),
        "refused": dict(world.tally.refused.most_common()),
        "recorded without network, as answered": dict(world.tally.batched),
        "requests sent again after a lost answer": world.tally.repeated,
        "orders": {row[0]: row[1] for row in statuses},
        "fulfilment orders": {row[0]: row[1] for row in works},
        "units by which the books were made wrong": dict(world.truth.injected.most_common()),
        "units by which they still are": sum(map(abs, world.truth.error.values())),
        "counted lines, right before they were put right": f"{right} of {lines}, as the simulator knows",
        "cases": {f"{row[0]} {row[1]}": row[2] for row in cases},
        "units picked short, and put back with them": {row[0]: row[1] for row in short},
        "bins held against what stands in them": world.bin_lines,
        "movements": movements,
    }
