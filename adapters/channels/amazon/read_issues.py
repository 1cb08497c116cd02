"""What Amazon finds wrong with a submission, as a cause and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapters.channels.base import WriteOutcome, WriteResult
from domain.errors import CauseClass

UNKNOWN_SKU_CODE = "13013"
TEXT_MAX = 500
ISSUES_MAX = 5
_CAUSES = {
    "QUALIFICATION_REQUIRED": CauseClass.POLICY,
    "DUPLICATE": CauseClass.MAPPING,
    "INVALID_ATTRIBUTE": CauseClass.VALIDATION,
    "MISSING_ATTRIBUTE": CauseClass.VALIDATION,
    "INVALID_IMAGE": CauseClass.VALIDATION,
    "MISSING_IMAGE": CauseClass.VALIDATION,
    "INVALID_PRICE": CauseClass.VALIDATION,
    "MISSING_PRICE": CauseClass.VALIDATION,
}


def refuse(issues: Sequence[Mapping[str, Any]]) -> WriteResult:
    """The result of a submission Amazon called invalid."""
    errors = [issue for issue in issues if issue.get("severity") == "ERROR"] or list(issues)
    return WriteResult(WriteOutcome.REFUSED, write_text(errors) or "INVALID, without an issue.", find_cause(errors))


def find_cause(issues: Iterable[Mapping[str, Any]]) -> CauseClass:
    """Of the first issue that tells. Without a category that is known, an invalid submission is invalid."""
    for issue in issues:
        if str(issue.get("code")) == UNKNOWN_SKU_CODE:
            return CauseClass.MAPPING
        for category in issue.get("categories") or []:
            if category in _CAUSES:
                return _CAUSES[category]
        if _is_enforced(issue):
            return CauseClass.POLICY
    return CauseClass.VALIDATION


def _is_enforced(issue: Mapping[str, Any]) -> bool:
    """Amazon acted against the listing, and the seller is not exempt."""
    enforcements = issue.get("enforcements") or {}
    exemption = (enforcements.get("exemption") or {}).get("status")
    return bool(enforcements.get("actions")) and exemption == "NOT_EXEMPT"


def write_text(issues: Sequence[Mapping[str, Any]]) -> str:
    texts = [f"{issue.get('code', 'issue')}: {issue.get('message')}" for issue in issues[:ISSUES_MAX]]
    return " ".join(texts)[:TEXT_MAX]
