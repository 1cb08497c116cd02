"""Where a change came from: kept with every movement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """The actor, token and request behind a command, and the key that makes it happen once.

    `token_id` is that of one of our tokens, or `jwt:<subject>` for a person.
    """

    actor: str
    token_id: str | None = None
    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the caller says about a stock change."""

    reason: str
    note: str | None = None
    reference: str | None = None
