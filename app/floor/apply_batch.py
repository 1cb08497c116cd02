"""A tablet's queue: operations recorded without network, each done in its own transaction, in order, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from app.run_once import Answer, Repeated
from domain.errors import Fault, Refusal, RefusalCode
from domain.floor import FloorAdvice, advise

OPERATIONS_MAX = 250
log = structlog.get_logger()


class FloorStatus(StrEnum):
    """`REFUSED`: nothing was done, `advice` says what to do. `FAILED`: a fault of ours; send it again."""

    APPLIED = "APPLIED"
    ALREADY_APPLIED = "ALREADY_APPLIED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One operation: its name, its key, and how it is done."""

    name: str
    key: str | None
    run: Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class FloorResult:
    """What became of an operation. `answer` as it was given the first time."""

    name: str
    key: str | None
    status: FloorStatus
    answer: Answer | None = None
    refusal: Refusal | None = None

    @property
    def advice(self) -> FloorAdvice | None:
        return None if self.refusal is None else advise(self.refusal.code)


async def apply_batch(operations: Sequence[Recorded]) -> list[FloorResult]:
    """One result for each, in order. An operation that is refused or fails stops none after it.

    A refusal is not kept: what came too early may come again under its key. Raises `Refusal` INVALID_INPUT,
    TOO_MANY_LINES for the whole, and a transient `Fault` when the database is away: what was applied until then stays,
    and is ALREADY_APPLIED the next time.
    """
    if not operations:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give at least one operation.", ("operations",))
    if len(operations) > OPERATIONS_MAX:
        message = f"At most {OPERATIONS_MAX} operations at once: send the rest after these."
        raise Refusal(RefusalCode.TOO_MANY_LINES, message, ("operations",))
    return [await _apply(operation) for operation in operations]


async def _apply(operation: Recorded) -> FloorResult:
    head = (operation.name, operation.key)
    try:
        if operation.key is None:
            message = "A recorded operation needs a key that the device made: without one it could be done twice."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("idempotencyKey",))
        answer = await operation.run()
    except Refusal as refusal:
        return FloorResult(*head, FloorStatus.REFUSED, refusal=refusal)
    except (Fault, OSError):
        raise
    except Exception:
        log.exception("a recorded operation failed", operation=operation.name, key=operation.key)
        return FloorResult(*head, FloorStatus.FAILED)
    status = FloorStatus.ALREADY_APPLIED if isinstance(answer, Repeated) else FloorStatus.APPLIED
    return FloorResult(*head, status, answer)
