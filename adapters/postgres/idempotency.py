"""Answers kept under the caller's key, so that the same request has one effect, whoever retries it and when."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain.errors import Refusal, RefusalCode

_READ = """
SELECT k.principal, k.key, k.operation, k.input_hash, k.answer::text
FROM idempotency_keys k JOIN unnest($1::text[], $2::text[]) AS wanted (p, k) ON k.principal = p AND k.key = wanted.k
"""

_WRITE = """
INSERT INTO idempotency_keys (principal, key, operation, input_hash, answer)
SELECT p, k, o, h, a::json FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[]) AS r (p, k, o, h, a)
ON CONFLICT DO NOTHING
RETURNING key
"""


class IdempotencyRace(Exception):
    """Another transaction kept an answer under the same key first: run again, and find it."""


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """One use of a key: whose, for what, with which input.

    `keeps_refusals`: a refusal is its answer for good; else it may be tried again under the same key.
    """

    principal: str
    key: str
    operation: str
    input_hash: bytes
    keeps_refusals: bool = True


def hash_input(command: object) -> bytes:
    """A digest of the command's input; equal inputs have equal digests whatever their field order."""
    return hashlib.blake2b(
        orjson.dumps(command, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str),
        digest_size=16,
    ).digest()


async def read_answers(connection: Any, calls: Sequence[IdempotentCall]) -> dict[IdempotentCall, Any]:
    """Kept answers by call; a `Refusal` in place of the answer when the key was used for something else."""
    if not calls:
        return {}
    records = await connection.fetch(_READ, [call.principal for call in calls], [call.key for call in calls])
    kept = {(record[0], record[1]): record for record in records}
    return {call: _answer(call, kept[call.principal, call.key]) for call in calls if (call.principal, call.key) in kept}


def _answer(call: IdempotentCall, record: Any) -> Any:
    if record[2] == call.operation and record[3] == call.input_hash:
        return orjson.loads(record[4])
    return Refusal(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        "This idempotency key was used with another input: send the same input again, or take a new key.",
        ("idempotencyKey",),
    )


async def write_answers(connection: Any, answers: Sequence[tuple[IdempotentCall, Any]]) -> None:
    """Keep answers with the change they belong to. Raises `IdempotencyRace` if another got there first.

    Keys go in sorted order, so that two transactions never wait for each other.
    """
    if not answers:
        return
    ordered = sorted(answers, key=lambda pair: (pair[0].principal, pair[0].key))
    records = await connection.fetch(
        _WRITE,
        [call.principal for call, _ in ordered],
        [call.key for call, _ in ordered],
        [call.operation for call, _ in ordered],
        [call.input_hash for call, _ in ordered],
        [orjson.dumps(answer, default=str).decode() for _, answer in ordered],  # asyncpg's UUID is its own,
    )
    if len(records) != len(ordered):
        raise IdempotencyRace
