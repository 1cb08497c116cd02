"""Send partners what was planned, signed, with retries; an endpoint that stays broken is switched off.

A delivery is told under the same id on every try, also when it is replayed: receivers know it again.
"""

from __future__ import annotations

import datetime
import random
from typing import Any

import structlog

from adapters.webhooks.send_webhook import send_webhook
from app.channels.seal_credentials import open_credentials
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.partners.note_contact import describe_silence
from app.state import State
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity

CLAIM_SECONDS = 60.0
MINUTE, HOUR = 60.0, 3_600.0
RETRY_SECONDS = (5.0, 30.0, 2 * MINUTE, 5 * MINUTE, *(15 * MINUTE,) * 4, HOUR, 2 * HOUR, 5 * HOUR, 8 * HOUR, 10 * HOUR)
"""After each failed try; a bit more than a day in all. Then the endpoint is switched off."""
_CLAIM = """
WITH due AS (
  SELECT d.id FROM partner_deliveries d JOIN partners p ON p.id = d.partner_id
  WHERE d.state = 'PENDING' AND d.due_at <= $1 AND p.webhook = 'ENABLED' AND p.status = 'LIVE'
  ORDER BY d.due_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE partner_deliveries d SET due_at = $1 + make_interval(secs => $2), attempts = d.attempts + 1
FROM due, partners p WHERE d.id = due.id AND p.id = d.partner_id
RETURNING d.id, d.body, d.attempts, d.type, p.id AS partner_id, p.code, p.sealed, p.warehouse_id, p.silent_seconds
"""
_SENT = """
UPDATE partner_deliveries SET state = 'SENT', sent_at = $2, error = NULL WHERE id = $1 AND state = 'PENDING'
"""
_WORKS_AGAIN = "UPDATE partners SET webhook_failing_since = NULL, last_success_at = $2 WHERE id = $1"
_HURRY = """
UPDATE partner_deliveries SET due_at = $2 WHERE partner_id = $1 AND state = 'PENDING' AND due_at > $2 AND attempts > 0
  AND error IS NOT NULL
"""
"""It takes events again: what waits for a later try need not."""
_FAILED = """
UPDATE partner_deliveries SET state = $2, error = $3, due_at = $4 WHERE id = $1 AND state = 'PENDING'
"""
_FAILING = """
UPDATE partners SET webhook_failing_since = coalesce(webhook_failing_since, $2), last_error = $3,
  webhook = CASE WHEN $4 THEN 'DISABLED' ELSE webhook END
WHERE id = $1 RETURNING webhook_failing_since AS failing_since
"""
log = structlog.get_logger()


async def send_event(state: State, now: datetime.datetime) -> int:
    """Send one; returns how many there were. Several may run at the same time: a slow partner delays no other."""
    delivery = await state.database.hot.fetchrow(_CLAIM, now, CLAIM_SECONDS)
    if delivery is None:
        return 0
    try:
        await _send(state, delivery, now)
    except Fault as fault:
        await _note_failure(state, delivery, fault, now)
    else:
        await _note_success(state, delivery, now)
    state.doorbell.ring("feed")
    return 1


async def _send(state: State, delivery: Any, now: datetime.datetime) -> None:
    sealed = open_credentials(state.settings, delivery["sealed"])
    signing = [sealed["secret"]]
    until = sealed.get("previous_until")
    if until is not None and datetime.datetime.fromisoformat(until) > now:
        signing.append(sealed["previous_secret"])
    await send_webhook(
        state.http, sealed["webhook_url"], signing, f"msg_{delivery['id'].hex}", delivery["body"].encode()
    )


async def _note_success(state: State, delivery: Any, now: datetime.datetime) -> None:
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_SENT, delivery["id"], now)
        await connection.execute(_WORKS_AGAIN, delivery["partner_id"], now)
        await connection.execute(_HURRY, delivery["partner_id"], now)
        proofs = {f"partner:{delivery['partner_id']}": {"tookEventAt": now.isoformat()}}
        await resolve_cases(connection, [CaseKind.PARTNER_SILENT.value], proofs)


async def _note_failure(state: State, delivery: Any, fault: Fault, now: datetime.datetime) -> None:
    """410 says that the receiver wants nothing more, and the last retry that it will not come back by itself."""
    tries = delivery["attempts"]
    last = tries > len(RETRY_SECONDS)
    ends = last or not fault.transient
    wait = 0.0 if ends else RETRY_SECONDS[tries - 1] * (0.9 + random.random() / 5)  # noqa: S311
    due = now + datetime.timedelta(seconds=wait)
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_FAILED, delivery["id"], "FAILED" if ends else "PENDING", str(fault)[:500], due)
        row = await connection.fetchrow(_FAILING, delivery["partner_id"], now, str(fault)[:500], ends)
        since = row["failing_since"]
        if ends:
            await open_cases(connection, [_describe_stop(delivery, str(fault))])
        elif (now - since).total_seconds() >= delivery["silent_seconds"]:
            given = {**dict(delivery), "failing_since": since}
            await open_cases(connection, [describe_silence(delivery["partner_id"], given, str(fault))])
    if ends:
        log.error("a partner's events are switched off", partner=delivery["code"], error=str(fault))


def _describe_stop(delivery: Any, error: str) -> Problem:
    return Problem(
        CaseKind.PARTNER_EVENTS_STOPPED,
        Severity.HIGH,
        CauseClass.OUTAGE,
        f"partner:{delivery['partner_id']}",
        f"Partner {delivery['code']} is told nothing any more",
        f"Its webhook was switched off. {error} Enable it again with partnerWebhookEnable; what waits is sent then.",
        warehouse_id=delivery["warehouse_id"],
    )
