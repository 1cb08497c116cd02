"""Deliver what was planned, with retries; what could not be delivered stays visible as FAILED."""

from __future__ import annotations

import datetime
import random
from typing import Any

import structlog

from adapters.alerts.send_apprise import send_apprise
from adapters.webhooks.send_webhook import send_webhook
from app.alerts.describe_cases import describe_for_people, describe_for_programs
from app.channels.seal_credentials import open_credentials
from app.exceptions.read_cases import read_cases_by_ids
from app.metrics import ALERT_DELAY_SECONDS, ALERTS
from app.state import State
from domain.errors import Fault

CLAIM_SECONDS = 60.0
ATTEMPTS_MAX = 8
BACKOFF_SECONDS = 5.0
BACKOFF_SECONDS_MAX = 3_600.0
_CLAIM = """
WITH due AS (
  SELECT id FROM alert_deliveries WHERE state = 'PENDING' AND due_at <= clock_timestamp()
  ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE alert_deliveries d SET due_at = clock_timestamp() + make_interval(secs => $1), attempts = d.attempts + 1
FROM due, alert_rules r WHERE d.id = due.id AND r.id = d.rule_id
RETURNING d.id, d.case_ids, d.attempts, r.id AS rule_id, r.name, r.target, r.sealed, r.enabled
"""
_SENT = """
UPDATE alert_deliveries SET state = 'SENT', sent_at = clock_timestamp(), error = NULL
WHERE id = $1 AND state = 'PENDING'
"""
_TOLD = """
UPDATE alert_notices n SET state = g.state FROM unnest($2::uuid[], $3::text[]) AS g (id, state)
WHERE n.rule_id = $1 AND n.case_id = g.id AND n.state <> g.state
"""
"""A case that ended before the window closed was told as resolved already."""
_FAILED = """
UPDATE alert_deliveries SET state = $2, error = $3, due_at = clock_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND state = 'PENDING'
"""
log = structlog.get_logger()


async def send_alert(state: State) -> int:
    """Send one; returns how many there were. Several at the same time, so that a slow receiver delays no other.

    A claim is a time: what a dead worker held is sent again after it, with the same `webhook-id`, by which receivers
    know it again.
    """
    delivery = await state.database.hot.fetchrow(_CLAIM, CLAIM_SECONDS)
    if delivery is None:
        return 0
    await _deliver(state, delivery)
    return 1


async def _deliver(state: State, delivery: Any) -> None:
    try:
        if not delivery["enabled"]:
            raise Fault("The rule is switched off.", transient=False)
        cases = await read_cases_by_ids(state.database.hot, delivery["case_ids"])
        await _send(state, delivery, cases)
    except Fault as fault:
        await _note_failure(state, delivery, str(fault), transient=fault.transient)
    except Exception as error:
        log.exception("an alert cannot be delivered", rule=delivery["name"])
        await _note_failure(state, delivery, repr(error), transient=True)
    else:
        await _note_success(state, delivery, cases)


async def _send(state: State, delivery: Any, cases: Any) -> None:
    sealed = open_credentials(state.settings, delivery["sealed"])
    if delivery["target"] == "APPRISE":
        message = describe_for_people(delivery["name"], cases)
        await send_apprise(sealed["url"], message.title, message.body, message.kind)
        return
    signing = [sealed[name] for name in ("secret", "previous_secret") if name in sealed]
    body = describe_for_programs(delivery["name"], cases, datetime.datetime.now(datetime.UTC))
    await send_webhook(state.http, sealed["url"], signing, f"alert_{delivery['id'].hex}", body)


async def _note_success(state: State, delivery: Any, cases: Any) -> None:
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_SENT, delivery["id"])
        ids, states = [case["id"] for case in cases], [case["state"] for case in cases]
        await connection.execute(_TOLD, delivery["rule_id"], ids, states)
    ALERTS.labels(delivery["target"], "SENT").inc()
    opened = [case["opened_at"] for case in cases if case["state"] == "OPEN"]
    if delivery["attempts"] == 1 and opened:
        delay = datetime.datetime.now(datetime.UTC) - max(opened)
        ALERT_DELAY_SECONDS.observe(max(0.0, delay.total_seconds()))


async def _note_failure(state: State, delivery: Any, error: str, *, transient: bool) -> None:
    last = not transient or delivery["attempts"] >= ATTEMPTS_MAX
    ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 3.0 ** min(delivery["attempts"] - 1, 16))
    wait = ceiling * (0.5 + random.random() / 2)  # noqa: S311
    await state.database.hot.execute(_FAILED, delivery["id"], "FAILED" if last else "PENDING", error[:500], wait)
    ALERTS.labels(delivery["target"], "FAILED" if last else "RETRIED").inc()
    if last:
        log.error("an alert was not delivered", rule=delivery["name"], error=error)
