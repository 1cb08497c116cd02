"""Credentials that do not open are a case, and no silence: a key that was taken away too early, or never given here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.channels.health import Scope, note_failure, note_success
from app.channels.open_channel import OpenChannel
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.errors import Fault
from domain.exceptions import CaseKind, Problem, Severity

AGAIN_SECONDS = 60.0
_FAILING = """
SELECT channel_id, failed_at > now() - make_interval(secs => $2) AS told FROM channel_circuits
WHERE scope = $1 AND failures > 0
"""


async def mind_credentials(state: State, opened: Iterable[OpenChannel], unopened: Sequence[tuple[Any, Fault]]) -> None:
    """`unopened`: rows of channels with why. Said again after a minute; over when a process opens them."""
    told = {row["channel_id"]: row["told"] for row in await state.database.hot.fetch(_FAILING, "OPEN", AGAIN_SECONDS)}
    news = [(record, fault) for record, fault in unopened if not told.get(record["id"])]
    healed = [channel for channel in opened if channel.id in told]
    if not news and not healed:
        return
    async with state.database.hot.acquire() as connection, connection.transaction():
        for record, fault in news:
            await note_failure(connection, record["id"], Scope.OPEN, str(fault), fault.cause)
        await open_cases(connection, [_problem(record, fault) for record, fault in news])
        for channel in healed:
            causes = await note_success(connection, channel.id, Scope.OPEN)
            proof = {f"channel:{channel.id}": {"credentials": "opened"}}
            await resolve_cases(connection, [CaseKind.CHANNEL_DOWN.value], proof, but_causes=causes)
    state.doorbell.ring("feed")


def _problem(record: Any, fault: Fault) -> Problem:
    return Problem(
        CaseKind.CHANNEL_DOWN,
        Severity.CRITICAL,
        fault.cause,
        f"channel:{record['id']}",
        f"Channel {record['code']} cannot be opened",
        str(fault),
        record["id"],
    )
