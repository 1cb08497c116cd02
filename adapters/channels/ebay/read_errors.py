"""eBay's errors, sorted: who can help, and whether trying again can.

Fault
└── EbayFault   an answer of 400 or more; `error_ids` for the few callers that know one of them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.refuse_call import NotPermitted
from domain.errors import CauseClass, Fault

TOKEN_REJECTED = 1001
ORDER_UNKNOWN = 32100
MESSAGE_LENGTH_MAX = 300
ERRORS_MAX = 20

_CAUSES = {
    CauseClass.AUTH: {1001, 1002, 1003, 1004, 1100, 195011},
    CauseClass.QUOTA: {2001, 34100},
    CauseClass.OUTAGE: {2000, 2003, 25001, 30500, 34900, 105000, 195000},
    CauseClass.MAPPING: {25702, 25708, 25710, 25713, ORDER_UNKNOWN, 34913, 34914, 32200, 195001, 195013, 195022},
    CauseClass.POLICY: {
        34916, 34917, 34918, 34919, 34920, 34922, 34923, 34924, 34925, 34926, 34927, 34928, 34929, 34930,
        25019, 25026, 25038, 25039, 25040, 25762, 32400, 34200, 34300, 195003, 195014, 195015,
    },
    CauseClass.VALIDATION: {
        34901, 34902, 34903, 34905, 34906, 34907, 34908, 34909, 34910, 34911, 34912, 34915, 34921,
        2002, 2004, 25002, 25004, 25604, 25706, 25709, 25727, 25734, 25759, 30700, 30800, 30810, 30820, 30830, 30840,
        30850, 30900, 31000, 31100, 32210, 32300, 32500, 32600, 32800, 34500, 195002, 195004, 195005, 195006, 195007,
        195008, 195009, 195010, 195012, 195016, 195017, 195018, 195019, 195020, 195021, 195025, 195027,
    },
}  # fmt: skip
_CAUSE_BY_ID = {error_id: cause for cause, ids in _CAUSES.items() for error_id in ids}
# Worth another try without anybody doing anything. A used-up quota comes back; 34100 (parcels of an order) does not.
_TRANSIENT = _CAUSES[CauseClass.OUTAGE] | {2001}
_SPENT_WORDS = ("limit", "exceed", "maximum", "threshold")


@dataclass(frozen=True, slots=True)
class EbayError:
    """One entry of `errors`."""

    error_id: int
    category: str
    message: str

    @property
    def cause(self) -> CauseClass:
        if self.is_revision_limit:
            return CauseClass.QUOTA
        known = _CAUSE_BY_ID.get(self.error_id)
        if known is not None:
            return known
        return CauseClass.OUTAGE if self.category in {"APPLICATION", "SYSTEM"} else CauseClass.UNKNOWN

    @property
    def transient(self) -> bool:
        if self.error_id in _CAUSE_BY_ID:
            return self.error_id in _TRANSIENT or self.is_revision_limit
        return self.cause is CauseClass.OUTAGE

    @property
    def is_revision_limit(self) -> bool:
        """A listing's revisions of the day are spent. eBay has no number of its own for it: the words tell."""
        words = self.message.lower()
        return "revision" in words and any(word in words for word in _SPENT_WORDS)


class EbayFault(Fault):
    def __init__(
        self, message: str, *, transient: bool, cause: CauseClass, status: int, error_ids: frozenset[int]
    ) -> None:
        super().__init__(message, transient=transient, cause=cause)
        self.status = status
        self.error_ids = error_ids


def read_errors(body: Any) -> tuple[EbayError, ...]:
    """The readable entries of `errors`, few of them; none for a body of another shape."""
    raw = body.get("errors") if isinstance(body, dict) else None
    entries = raw if isinstance(raw, list) else []
    return tuple(_read_error(entry) for entry in entries[:ERRORS_MAX] if isinstance(entry, dict))


def _read_error(entry: dict[str, Any]) -> EbayError:
    error_id = entry.get("errorId")
    message = str(entry.get("longMessage") or entry.get("message") or "no message")
    return EbayError(
        error_id if isinstance(error_id, int) else 0, str(entry.get("category", "")), message[:MESSAGE_LENGTH_MAX]
    )


def fault_of(status: int, body: Any) -> EbayFault | NotPermitted:
    """What an answer of 400 or more means. 403 is the permission, but for a token that has ended."""
    errors = read_errors(body)
    transient, cause = _judge(status, errors)
    if status == 403 and cause is CauseClass.AUTH and all(error.error_id != TOKEN_REJECTED for error in errors):
        return NotPermitted(f"{_describe(status, errors)} Connect the account again with the scope of this call.")
    return EbayFault(
        _describe(status, errors),
        transient=transient,
        cause=cause,
        status=status,
        error_ids=frozenset(error.error_id for error in errors),
    )


def result_of(status: int, errors: Sequence[EbayError]) -> WriteResult:
    """What one failed item of a bulk answer means."""
    transient, cause = _judge(status, errors)
    outcome = WriteOutcome.TRANSIENT if transient else WriteOutcome.REFUSED
    return WriteResult(outcome, _describe(status, errors), cause)


def _judge(status: int, errors: Sequence[EbayError]) -> tuple[bool, CauseClass]:
    """(transient, cause): one reason that will not go away outweighs those that will."""
    worst = next((error for error in errors if not error.transient), errors[0] if errors else None)
    if worst is not None and worst.cause is not CauseClass.UNKNOWN:
        return worst.transient, worst.cause
    if status == 429:
        return True, CauseClass.QUOTA
    if status >= 500 or status == 408:
        return True, CauseClass.OUTAGE
    return False, CauseClass.AUTH if status in {401, 403} else CauseClass.UNKNOWN


def _describe(status: int, errors: Sequence[EbayError]) -> str:
    reasons = "; ".join(f"{error.error_id}: {error.message}" for error in errors[:3])
    return f"eBay answered {status}{f' ({reasons})' if reasons else ''}."
