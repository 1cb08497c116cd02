"""Reading routing decisions: what was decided, on which numbers, and whether it would be decided so again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from app.run_once import Answer
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.routing.explain_batch import explain_batch, revive_shares
from domain.routing.keep_plan import keep_plan
from domain.routing.keep_problem import revive_problem
from domain.routing.read_policy import read_policy
from domain.routing.route import route

DECISIONS_MAX = 50
_READ = """
SELECT d.id, d.order_id, d.policy_version, d.at, d.seconds, d.trigger, d.solver, d.complete, d.inputs::text AS inputs,
  d.outcome::text AS outcome, d.erased_at, p.document::text AS document
FROM routing_decisions d LEFT JOIN routing_policies p ON p.version = d.policy_version
WHERE d.order_id = $1 ORDER BY d.id DESC LIMIT $2
"""
KEPT = ("order_id", "policy_version", "at", "seconds", "trigger", "solver", "complete", "erased_at")
_CHANNEL = "SELECT channel_id FROM orders WHERE id = $1"
_NAMES = "SELECT id, code FROM skus WHERE id = ANY($1::int[])"


async def sees_order(database: Database, principal: Principal, order_id: UUID) -> bool:
    """Whether it is there, and of a channel that is the principal's."""
    channel_id = await database.hot.fetchval(_CHANNEL, order_id)
    return channel_id is not None and principal.sees_channel(channel_id)


async def read_decisions(database: Database, principal: Principal, order_id: UUID, limit: int) -> list[Answer]:
    """Newest first. Nothing of an order that the principal does not see, nor for a token limited to warehouses: a
    decision shows the stock of all that were asked."""
    if principal.warehouse_ids is not None or not await sees_order(database, principal, order_id):
        return []
    rows = await database.hot.fetch(_READ, order_id, min(limit, DECISIONS_MAX))
    decisions = [_show(row) for row in rows]
    skus = {int(sku) for found in decisions for site in found["inputs"].get("sites", ()) for sku in site["held"]}
    names = dict(await database.hot.fetch(_NAMES, list(skus)))
    return [found | {"skus": names} for found in decisions]


def _show(row: Any) -> Answer:
    inputs, outcome = orjson.loads(row["inputs"]), orjson.loads(row["outcome"])
    document = inputs.get("policy") or (row["document"] and orjson.loads(row["document"]))
    kept = {name: row[name] for name in KEPT}
    return {**kept, "inputs": inputs, "outcome": outcome, "policy": document}


def replay(decision: Answer) -> bool | None:
    """Whether the policy decides the same on the same numbers again; of an order among many, given what it was given.

    None for a batch of which only the outcome was kept, as it was once. Raises `Refusal` DECISION_ERASED when it has
    forgotten where the order went.
    """
    if decision["erased_at"] is not None:
        message = "The buyer was erased, and with that where the order went: it cannot be decided again."
        raise Refusal(RefusalCode.DECISION_ERASED, message)
    inputs = decision["inputs"]
    if "sites" not in inputs:
        return None
    policy, problem = read_policy(decision["policy"]), revive_problem(inputs)
    shares = inputs.get("batch")
    again = (
        route(policy, problem) if shares is None else explain_batch(policy, problem, revive_shares(shares["shares"]))
    )
    return again is not None and bool(orjson.loads(orjson.dumps(keep_plan(again))) == decision["outcome"])
