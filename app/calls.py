"""What makes a mutation happen once: the caller's key bound to who called what with which input."""

from __future__ import annotations

from adapters.postgres.idempotency import IdempotentCall, hash_input
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Remarks

KEY_LENGTH_MAX = 200
REASON_LENGTH_MAX = 100


def make_call(principal: Principal, operation: str, key: str | None, command: object) -> IdempotentCall | None:
    """None without a key. Raises `Refusal` INVALID_INPUT for a key that is empty, too long or not plain text."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH_MAX or "\x00" in key:
        raise Refusal(
            RefusalCode.INVALID_INPUT,
            f"An idempotency key has 1 to {KEY_LENGTH_MAX} characters.",
            ("idempotencyKey",),
        )
    return IdempotentCall(principal.id, key, operation, hash_input(command))


def check_text(value: str | None, field: str, length_max: int = 500, *, path: tuple[str, ...] = ()) -> None:
    """Refuse text that is too long or holds a NUL, which PostgreSQL cannot store. `path`: of what has the field."""
    if value is not None and (len(value) > length_max or "\x00" in value):
        raise Refusal(
            RefusalCode.INVALID_INPUT, f"{field} has at most {length_max} characters of plain text.", (*path, field)
        )


def check_remarks(remarks: Remarks) -> None:
    """Refuse a blank reason, and remarks that are too long."""
    if not remarks.reason.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Say the reason: COUNT, DAMAGE, or one of your own.", ("reason",))
    check_text(remarks.reason, "reason", REASON_LENGTH_MAX)
    check_text(remarks.note, "note")
    check_text(remarks.reference, "reference")
