"""Ask partners what has happened: all that changed since a while before the last time, and of silent orders alone."""

from __future__ import annotations

import datetime
from typing import Any

from app.partners.apply_news import apply_news
from app.partners.note_contact import note_failure, note_success, note_unheard
from app.partners.open_partner import COLUMNS, open_partner
from app.state import State
from domain.errors import CauseClass, Fault

POLL_SECONDS = 30.0
OVERLAP = datetime.timedelta(minutes=10)
"""Partners write down some changes a while after they happened."""
PAGES_MAX, WRONG_MAX = 1_000, 5
QUIET_SECONDS = 1_800.0
"""Of an order that was not heard of for so long, its partner is asked by name: a word may have been lost."""
QUIET_MAX = 50
_CLAIM = f"""
UPDATE partners SET polled_at = $1 WHERE id = (
  SELECT p.id FROM partners p
  WHERE p.status = 'LIVE' AND p.kind <> 'API' AND (p.next_attempt_at IS NULL OR p.next_attempt_at <= $1)
    AND (p.polled_at IS NULL OR p.polled_at <= $1 - make_interval(secs => $2))
    AND (p.unheard_since IS NOT NULL OR EXISTS (SELECT FROM partner_orders o WHERE o.partner_id = p.id
      AND (o.state = 'DELEGATED' OR o.heard_at > $1 - interval '1 day')))
  ORDER BY p.polled_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING (SELECT min(o.delegated_at) FROM partner_orders o WHERE o.partner_id = partners.id) AS first_at,
  {COLUMNS.replace("p.", "partners.")}
"""  # noqa: S608
_UNTIL = "UPDATE partners SET changes_until = greatest(changes_until, $2) WHERE id = $1"
_QUIET = """
SELECT partner_order_id, fulfillment_order_id FROM partner_orders
WHERE partner_id = $1 AND state = 'DELEGATED' AND heard_at < $2 ORDER BY heard_at LIMIT $3
"""
_ASKED = "UPDATE partner_orders SET heard_at = $2 WHERE fulfillment_order_id = $1"


async def poll_changes(state: State, now: datetime.datetime) -> int:
    """Ask one partner that is due; returns how many there were."""
    partner = await state.database.hot.fetchrow(_CLAIM, now, POLL_SECONDS)
    if partner is None:
        return 0
    try:
        wrong = await _read_changes(state, partner, now)
        await state.database.hot.execute(_UNTIL, partner["id"], now)
        wrong += await _read_quiet(state, partner, now)
    except Fault as fault:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await note_failure(connection, partner["id"], fault, now, unheard=True)
    else:
        async with state.database.hot.acquire() as connection, connection.transaction():
            if wrong:
                await note_unheard(connection, partner["id"], " ".join(wrong[:WRONG_MAX]), now)
            else:
                await note_success(connection, partner["id"], now, heard=True)
    state.doorbell.ring("feed")
    return 1


async def _read_changes(state: State, partner: Any, now: datetime.datetime) -> list[str]:
    """What is wrong with orders that cannot be read: they keep no other from being heard, and are asked for by name."""
    since = (partner["changes_until"] or partner["first_at"] or now) - OVERLAP
    adapter, cursor, seen = open_partner(state, partner), None, set[str]()
    wrong: list[str] = []
    for _ in range(PAGES_MAX):
        page = await adapter.recent_changes(since, cursor)
        for said in page.orders:
            await apply_news(state, partner, said, now)
        wrong += page.broken
        cursor = page.cursor
        if cursor is None:
            return wrong
        if cursor in seen:
            break
        seen.add(cursor)
    message = "The partner's list of changes does not end."
    raise Fault(message, transient=True, cause=CauseClass.VALIDATION)


async def _read_quiet(state: State, partner: Any, now: datetime.datetime) -> list[str]:
    """What is wrong with those that cannot be read: asked for again each time."""
    adapter, wrong = open_partner(state, partner), []
    before = now - datetime.timedelta(seconds=QUIET_SECONDS)
    for row in await state.database.hot.fetch(_QUIET, partner["id"], before, QUIET_MAX):
        try:
            said = await adapter.read_order(row["partner_order_id"])
        except Fault as fault:
            if fault.cause is not CauseClass.VALIDATION:
                raise
            wrong.append(f"Order {row['partner_order_id']}: {fault}")
            continue
        if said is not None:
            await apply_news(state, partner, said, now)
        await state.database.hot.execute(_ASKED, row["fulfillment_order_id"], now)
    return wrong
