"""Ask partners that are called what they hold, now and then, and hold it against the ledger."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

from app.partners.act_as import partner_principal
from app.partners.note_contact import note_failure, note_success
from app.partners.open_partner import COLUMNS, open_partner, read_config
from app.partners.reconcile_snapshot import LINES_MAX, SnapshotReport, reconcile_snapshot
from app.state import State
from domain.errors import CauseClass, Fault, Refusal, RefusalCode
from domain.provenance import Provenance

EVERY_SECONDS = 3_600.0
PAGES_MAX, LEVELS_MAX = 20_000, 100_000
MEANWHILE = frozenset({RefusalCode.WAREHOUSE_CLOSED, RefusalCode.WAREHOUSE_NOT_FOUND, RefusalCode.WRONG_STATE})
"""It was closed, or another snapshot was newer."""
_CLAIM = f"""
UPDATE partners p SET snapshot_polled_at = $1 WHERE p.id = (
  SELECT q.id FROM partners q JOIN warehouses w ON w.id = q.warehouse_id
  WHERE q.status = 'LIVE' AND q.kind <> 'API' AND w.status <> 'CLOSED'
    AND (q.next_attempt_at IS NULL OR q.next_attempt_at <= $1)
    AND (q.snapshot_polled_at IS NULL OR q.snapshot_polled_at <= $1 - make_interval(secs => $2))
  ORDER BY q.snapshot_polled_at NULLS FIRST LIMIT 1 FOR UPDATE OF q SKIP LOCKED)
RETURNING (SELECT code FROM warehouses w WHERE w.id = p.warehouse_id) AS warehouse, {COLUMNS}
"""  # noqa: S608
_CODES = """
SELECT s.id, s.code FROM skus s WHERE s.id = ANY($1::int[]) OR EXISTS (
  SELECT FROM stock_levels l WHERE l.sku_id = s.id AND l.warehouse_id = $2
    AND l.available + l.reserved + l.committed + l.damaged + l.quality_control <> 0)
ORDER BY s.code
"""


async def poll_snapshot(state: State, now: datetime.datetime) -> int:
    """Ask one partner that is due; returns how many there were."""
    partner = await state.database.hot.fetchrow(_CLAIM, now, EVERY_SECONDS)
    if partner is None:
        return 0
    try:
        levels, as_of = await _read_levels(state, partner)
        await _reconcile(state, partner, levels, as_of, now)
    except Fault as fault:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await note_failure(connection, partner["id"], fault, now)
        return 1
    async with state.database.hot.acquire() as connection, connection.transaction():
        await note_success(connection, partner["id"], now)
    return 1


async def _read_levels(state: State, partner: Any) -> tuple[dict[str, int], datetime.datetime]:
    """Units on hand by SKU code, and the moment of the oldest page. Raises `Fault`."""
    adapter, place = open_partner(state, partner), read_config(partner).get("location")
    levels: dict[str, int] = {}
    times: list[datetime.datetime] = []
    cursor = None
    for _ in range(PAGES_MAX):
        page = await adapter.read_stock((), cursor)
        times.append(page.as_of)
        for level in page.levels:
            if place is None or not level.warehouse or level.warehouse == place:
                levels[level.sku] = levels.get(level.sku, 0) + level.on_hand
        if page.cursor is None:
            return levels, min(times)
        if page.cursor == cursor or len(levels) > LEVELS_MAX:
            break
        cursor = page.cursor
    raise Fault("The partner's snapshot does not end.", transient=True, cause=CauseClass.VALIDATION)


async def _reconcile(
    state: State, partner: Any, levels: dict[str, int], as_of: datetime.datetime, now: datetime.datetime
) -> None:
    """SKUs that only the partner knows are its own affair. Of what it leaves out of a whole list it has none."""
    lines = await _name_levels(state, partner, levels)
    provenance = Provenance(partner["code"], f"partner:{partner['id']}")
    for start in range(0, len(lines), LINES_MAX):
        part = lines[start : start + LINES_MAX]
        report = SnapshotReport(partner["warehouse"], as_of, part, "POLL")
        try:
            await reconcile_snapshot(state, partner_principal(partner), report, provenance, now)
        except Refusal as refusal:
            if refusal.code in MEANWHILE:
                return
            message = f"The partner's snapshot cannot be read: {refusal.message}"
            raise Fault(message, transient=True, cause=CauseClass.VALIDATION) from None


async def _name_levels(state: State, partner: Any, levels: dict[str, int]) -> list[tuple[str, int]]:
    """Units by our own codes: a partner may call one SKU by its code and by its barcode."""
    known = await state.lookup.find_skus(levels)
    if not known:
        return []  # a list without one SKU of ours is of something else
    units: Counter[int] = Counter()
    for code, sku_id in known.items():
        units[sku_id] += levels[code]
    rows = await state.database.hot.fetch(_CODES, list(units), partner["warehouse_id"])
    return [(row["code"], units[row["id"]]) for row in rows]
