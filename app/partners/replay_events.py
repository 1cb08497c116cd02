"""Send events once more, and switch an endpoint on again that was switched off."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.exceptions.resolve_cases import resolve_cases
from app.partners.read_partners import read_partner_row, show_partner
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal

REPLAYED_MAX = 10_000
REPLAY_DAYS_MAX = 30
_FIND = "SELECT id, warehouse_id, webhook FROM partners WHERE code = $1 FOR UPDATE"
_SEE = """
SELECT p.warehouse_id FROM partner_deliveries d JOIN partners p ON p.id = d.partner_id WHERE d.id = $1 FOR UPDATE OF d
"""
_ONE = "UPDATE partner_deliveries SET state = 'PENDING', attempts = 0, due_at = $2, error = NULL WHERE id = $1"
_SINCE = """
UPDATE partner_deliveries SET state = 'PENDING', attempts = 0, due_at = $3, error = NULL WHERE id IN (
  SELECT id FROM partner_deliveries WHERE partner_id = $1 AND created_at >= $2 AND ($5 OR state = 'FAILED')
  ORDER BY id LIMIT $4 FOR UPDATE)
"""
_ENABLE = """
UPDATE partners SET webhook = 'ENABLED', webhook_failing_since = NULL WHERE id = $1 AND webhook <> 'NONE'
"""


async def replay_event(
    state: State, principal: Principal, event_id: UUID, now: datetime.datetime, call: IdempotentCall | None
) -> Answer:
    """Send one again, under the id it had. Raises `Refusal` EVENT_NOT_FOUND, the same for hidden and unknown."""

    async def decide(connection: Any) -> Answer:
        row = await connection.fetchrow(_SEE, event_id)
        if row is None or not principal.sees_warehouse(row["warehouse_id"]):
            raise Refusal(RefusalCode.EVENT_NOT_FOUND, "There is no such event.", ("id",))
        await connection.execute(_ONE, event_id, now)
        return {"event": str(event_id)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("partners")
    return answer


async def enable_webhook(
    state: State,
    principal: Principal,
    code: str,
    since: datetime.datetime | None,
    everything: bool,
    now: datetime.datetime,
    call: IdempotentCall | None,
) -> Answer:
    """Switch it on; what waited is sent, and what failed since then too, or all of that time.

    Raises `Refusal` INVALID_INPUT, PARTNER_NOT_FOUND, WRONG_STATE for a partner without a webhook.
    """

    async def decide(connection: Any) -> Answer:
        if since is not None and not now - datetime.timedelta(days=REPLAY_DAYS_MAX) <= since <= now:
            message = f"Events are replayed of the last {REPLAY_DAYS_MAX} days."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("replaySince",))
        found = await connection.fetchrow(_FIND, code)
        if found is None or not principal.sees_warehouse(found["warehouse_id"]):
            raise partner_not_found(code)
        if found["webhook"] == "NONE":
            message = "The partner has no webhook: give it one with partnerConnect."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("partner",))
        await connection.execute(_ENABLE, found["id"])
        replayed = 0
        if since is not None:
            status = await connection.execute(_SINCE, found["id"], since, now, REPLAYED_MAX, everything)
            replayed = int(status.rsplit(" ", 1)[-1])
        proofs = {f"partner:{found['id']}": {"enabledAt": now.isoformat()}}
        await resolve_cases(connection, [CaseKind.PARTNER_EVENTS_STOPPED.value], proofs)
        row = await read_partner_row(connection, found["id"])
        return {"partner": show_partner(state, row), "replayed": replayed}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("partners")
    return answer


def partner_not_found(code: str, path: tuple[str, ...] = ("partner",)) -> Refusal:
    return Refusal(RefusalCode.PARTNER_NOT_FOUND, f"There is no partner {code!r}.", path)
