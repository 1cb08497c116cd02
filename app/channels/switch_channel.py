"""Take a channel live, pause it, resume it."""

from __future__ import annotations

from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.channels.relay_stock import recompute_desired
from app.channels.save_channel import answer_channel
from app.channels.say_who import say_who
from app.channels.see_channels import find_channel
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

FRESH_SECONDS = 900.0
"""What was seen longer ago than this says nothing of what the channel shows now: it is looked at before it is told."""
_STATUS = "SELECT status FROM channels WHERE id = $1"
_SWITCH = "UPDATE channels SET status = $2 WHERE id = $1"
_TAKE_LIVE = """
WITH held AS MATERIALIZED (
  SELECT l.id, c.kind = 'B2B' OR l.observed_at > now() - make_interval(secs => $2) AS fresh, c.kind = 'B2B' AS ours
  FROM listings l JOIN channels c ON c.id = l.channel_id WHERE l.channel_id = $1 ORDER BY l.id FOR UPDATE OF l
), seen AS (
  SELECT h.id, h.fresh, h.ours, h.ours OR coalesce(h.fresh AND l.observed = l.desired, false) AS same
  FROM held h JOIN listings l USING (id)
)
UPDATE listings l SET
  desired_version = greatest(l.desired_version, l.acknowledged_version) + 1,
  acknowledged_version = CASE WHEN s.same
    THEN greatest(l.desired_version, l.acknowledged_version) + 1 ELSE l.acknowledged_version END,
  acknowledged = CASE WHEN s.ours THEN l.desired WHEN s.fresh THEN l.observed ELSE l.acknowledged END,
  acknowledged_at = CASE WHEN s.ours THEN clock_timestamp() WHEN s.same THEN l.observed_at ELSE l.acknowledged_at END,
  uncertain = NOT coalesce(s.fresh, false), drift_since = NULL,
  dirty_since = CASE WHEN s.same THEN NULL ELSE clock_timestamp() END,
  rejected = false, cause = NULL, error = NULL, attempts = 0, next_attempt_at = NULL
FROM seen s WHERE l.id = s.id RETURNING s.same
"""


async def take_live(state: State, principal: Principal, code: str, call: IdempotentCall | None) -> Answer:
    """From SHADOW to LIVE. Of the answer `right`: listings that show what they should; `different`: to be told.

    What was lately seen to show the desired number counts as acknowledged and is not sent. Raises `Refusal`
    CHANNEL_NOT_FOUND, WRONG_STATE unless the channel is SHADOW or LIVE already, which changes nothing.
    """

    async def decide(connection: Any) -> Answer:
        channel_id, status = await _find(connection, principal, code)
        if status == "PAUSED":
            raise Refusal(RefusalCode.WRONG_STATE, "The channel is PAUSED: resume it.", ("channel",))
        if status == "LIVE":
            return {**await answer_channel(connection, channel_id), "right": 0, "different": 0}
        await connection.execute(_SWITCH, channel_id, "LIVE")
        await recompute_desired(connection, channel_id=channel_id)
        rows = await connection.fetch(_TAKE_LIVE, channel_id, FRESH_SECONDS)
        right = sum(row["same"] for row in rows)
        return {**await answer_channel(connection, channel_id), "right": right, "different": len(rows) - right}

    return _ring(state, await run_once(state.database, call, decide))


async def pause_channel(state: State, principal: Principal, code: str, call: IdempotentCall | None) -> Answer:
    """Send nothing more; what is being sent is finished. Changes go on to coalesce.

    Raises `Refusal` CHANNEL_NOT_FOUND, WRONG_STATE for a channel that is not LIVE yet.
    """

    async def decide(connection: Any) -> Answer:
        channel_id, status = await _find(connection, principal, code)
        if status == "SHADOW":
            raise Refusal(RefusalCode.WRONG_STATE, "The channel is SHADOW: nothing is sent anyway.", ("channel",))
        await connection.execute(_SWITCH, channel_id, "PAUSED")
        return await answer_channel(connection, channel_id)

    return _ring(state, await run_once(state.database, call, decide))


async def resume_channel(state: State, principal: Principal, code: str, call: IdempotentCall | None) -> Answer:
    """Send again, each listing's latest number and nothing in between.

    Raises `Refusal` CHANNEL_NOT_FOUND, WRONG_STATE for a channel that was never live.
    """

    async def decide(connection: Any) -> Answer:
        channel_id, status = await _find(connection, principal, code)
        if status == "SHADOW":
            raise Refusal(RefusalCode.WRONG_STATE, "The channel is SHADOW: take it live.", ("channel",))
        await connection.execute(_SWITCH, channel_id, "LIVE")
        await recompute_desired(connection, channel_id=channel_id)
        return await answer_channel(connection, channel_id)

    return _ring(state, await run_once(state.database, call, decide))


async def _find(connection: Any, principal: Principal, code: str) -> tuple[int, str]:
    channel_id = await find_channel(connection, principal, code, lock=True)
    await say_who(connection, principal)
    return channel_id, await connection.fetchval(_STATUS, channel_id)


def _ring(state: State, answer: Answer) -> Answer:
    for bell in ("push", "feed"):
        state.doorbell.ring(bell)
    return answer
