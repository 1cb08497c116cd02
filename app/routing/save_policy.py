"""Drafts of routing policies, and publishing one: one policy is active, what was published stays as it was."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.postgres.database import WriteSession
from adapters.postgres.idempotency import IdempotentCall
from app.routing.read_policies import COLUMNS, show_policy
from app.run_once import Answer, transact_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.routing.policy import Policy
from domain.routing.read_document import PolicyError
from domain.routing.read_policy import named_warehouses, read_policy, write_policy

DOCUMENT_BYTES_MAX = 200_000
PUBLISHING_LOCK = 0x0B5E55EE
_LOCK = "SELECT version, status, document::text FROM routing_policies WHERE version = $1 FOR UPDATE"
_INSERT = f"""
INSERT INTO routing_policies (name, document, created_by) VALUES ($1, $2::json, $3) RETURNING {COLUMNS}
"""  # noqa: S608
_UPDATE = f"UPDATE routing_policies SET name = $2, document = $3::json WHERE version = $1 RETURNING {COLUMNS}"  # noqa: S608
_ARCHIVE = "UPDATE routing_policies SET status = 'ARCHIVED', archived_at = now() WHERE status = 'ACTIVE'"
_PUBLISH = f"""
UPDATE routing_policies SET status = 'ACTIVE', published_by = $2, published_at = now(), archived_at = NULL
WHERE version = $1 RETURNING {COLUMNS}
"""  # noqa: S608
_UNKNOWN = """
SELECT 'warehouse ' || g.code FROM unnest($1::text[]) AS g (code)
WHERE NOT EXISTS (SELECT FROM warehouses w WHERE w.code = g.code)
UNION ALL
SELECT 'channel ' || g.code FROM unnest($2::text[]) AS g (code)
WHERE NOT EXISTS (SELECT FROM channels c WHERE c.code = g.code)
"""


def check_document(document: Any) -> Policy:
    """The policy of a document. Raises `Refusal` INVALID_INPUT with every problem and the path of the first."""
    if len(orjson.dumps(document)) > DOCUMENT_BYTES_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"A policy has at most {DOCUMENT_BYTES_MAX} bytes.", ("document",))
    try:
        return read_policy(document)
    except PolicyError as error:
        path = ("document", *error.problems[0][0])
        raise Refusal(RefusalCode.INVALID_INPUT, f"The policy cannot be read: {error}", path) from error


def refuse_limited(principal: Principal) -> None:
    """A policy concerns every warehouse and channel. Raises `Refusal` NOT_ALLOWED for a token that sees only some."""
    if principal.warehouse_ids is not None or principal.channel_ids is not None:
        raise Refusal(
            RefusalCode.NOT_ALLOWED,
            "Your token is limited to warehouses or channels, and routing concerns all: ask somebody whose is not.",
        )


async def save_policy(
    state: State, principal: Principal, version: int | None, document: Any, call: IdempotentCall | None
) -> Answer:
    """Keep a draft: a new one, or the one of that version. `policy` of the answer.

    Raises `Refusal`: NOT_ALLOWED for a limited token, then INVALID_INPUT, POLICY_NOT_FOUND, WRONG_STATE for what was
    published: make a new draft of it.
    """
    refuse_limited(principal)
    policy = check_document(document)
    kept = orjson.dumps(write_policy(policy)).decode()

    async def decide(session: WriteSession) -> Answer:
        connection = session.raw
        await _check_names(connection, policy)
        if version is None:
            return {"policy": show_policy(await connection.fetchrow(_INSERT, policy.name, kept, principal.id))}
        found = await _lock(connection, version)
        if found["status"] != "DRAFT":
            message = f"Version {version} was published: what it decided stays explained by it. Save a new draft."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("version",))
        return {"policy": show_policy(await connection.fetchrow(_UPDATE, version, policy.name, kept))}

    return await transact_once(state.database, call, decide)


async def publish_policy(state: State, principal: Principal, version: int, call: IdempotentCall | None) -> Answer:
    """Make a draft the active policy, or one from the archive; the active one goes there. `policy` of the answer.

    Other processes route by it within two seconds. Raises `Refusal`: NOT_ALLOWED for a limited token, then
    POLICY_NOT_FOUND, WRONG_STATE when it is active already, INVALID_INPUT when it names what is no more.
    """
    refuse_limited(principal)

    async def decide(session: WriteSession) -> Answer:
        connection = session.raw
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PUBLISHING_LOCK)
        found = await _lock(connection, version)
        if found["status"] == "ACTIVE":
            raise Refusal(RefusalCode.WRONG_STATE, f"Version {version} is the active one.", ("version",))
        await _check_names(connection, check_document(orjson.loads(found["document"])))
        await connection.execute(_ARCHIVE)
        return {"policy": show_policy(await connection.fetchrow(_PUBLISH, version, principal.id))}

    answer = await transact_once(state.database, call, decide)
    state.routing.forget()
    return answer


async def _lock(connection: Any, version: int) -> Any:
    found = await connection.fetchrow(_LOCK, version)
    if found is None:
        raise Refusal(RefusalCode.POLICY_NOT_FOUND, f"There is no routing policy {version}.", ("version",))
    return found


async def _check_names(connection: Any, policy: Policy) -> None:
    channels = sorted({code for rule in policy.rules for code in rule.orders.channels})
    unknown = [row[0] for row in await connection.fetch(_UNKNOWN, list(named_warehouses(policy)), channels)]
    if unknown:
        message = f"The policy names what does not exist: {', '.join(unknown[:10])}."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("document",))
