"""Quantities by patchListingsItem, one SKU a call: for urgent writes and small batches.

A patch sets an absolute quantity, so one whose reply was lost may simply be sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.choose_route import PATCH_SECONDS
from adapters.channels.amazon.read_issues import refuse, write_text
from adapters.channels.amazon.read_listing import Terms, TermsBook, parse_reference, read_terms, render_patch
from adapters.channels.base import QuantityWrite, Throttled, WriteOutcome, WriteResult
from domain.errors import CauseClass, Fault

CONCURRENCY_MAX = 8
# What is wrong with the connection, not with one listing.
SHARED_CAUSES = frozenset({CauseClass.AUTH, CauseClass.QUOTA, CauseClass.OUTAGE})


async def patch_quantities(
    api: AmazonApi, book: TermsBook, writes: Sequence[QuantityWrite], *, urgent: bool
) -> list[WriteResult]:
    """A result for each write, in order. Waits a little for quota; raises `Fault` when not one write got through."""
    batch = _Batch(api, book, urgent, api.clock() + PATCH_SECONDS)
    outcomes = await asyncio.gather(*(batch.send(write) for write in writes))
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    if faults and len(faults) == len(outcomes) and all(fault.cause in SHARED_CAUSES for fault in faults):
        raise faults[0]
    return [outcome if isinstance(outcome, WriteResult) else describe(outcome) for outcome in outcomes]


def describe(fault: Fault) -> WriteResult:
    """What a fault means for one write. A connection's fault does not refuse the listing."""
    transient = fault.transient or fault.cause in SHARED_CAUSES
    wait_seconds = fault.wait_seconds if isinstance(fault, Throttled) else None
    outcome = WriteOutcome.TRANSIENT if transient else WriteOutcome.REFUSED
    return WriteResult(outcome, str(fault), fault.cause, wait_seconds=wait_seconds)


@dataclass(slots=True)
class _Batch:
    """`stop`: what made it useless to try the rest. One lost reply does not; as many as go at once do."""

    api: AmazonApi
    book: TermsBook
    urgent: bool
    deadline: float
    stop: Fault | None = None
    outages: int = 0
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY_MAX))

    async def send(self, write: QuantityWrite) -> WriteResult | Fault:
        async with self.gate:
            if self.stop is not None:
                return self.stop
            try:
                return await self._patch(write, await self._find_terms(write))
            except Fault as fault:
                self._count(fault)
                return fault

    def _count(self, fault: Fault) -> None:
        self.outages += fault.cause is CauseClass.OUTAGE
        if fault.cause in (CauseClass.AUTH, CauseClass.QUOTA) or self.outages >= CONCURRENCY_MAX:
            self.stop = fault

    async def _find_terms(self, write: QuantityWrite) -> Terms:
        """From what was read, the reference, or the listing itself. An urgent write does not wait for reading."""
        known = recall_terms(self.api, self.book, write)
        if known is not None or self.urgent:
            return known or parse_reference(write.reference)
        try:
            terms = await learn_terms(self.api, write.external_id)
        except Fault as fault:
            if fault.cause in (CauseClass.QUOTA, CauseClass.OUTAGE):
                return parse_reference(write.reference)
            raise
        self.book.remember(write.external_id, terms, self.api.clock())
        return terms

    async def _patch(self, write: QuantityWrite, terms: Terms) -> WriteResult:
        connection = self.api.connection
        if terms.foreign is not None:
            return refuse_foreign(terms)
        answer = await self.api.call(
            "patchListingsItem",
            "PATCH",
            write_path("listings", "2021-08-01", "items", connection.seller_id, write.external_id),
            params={"marketplaceIds": connection.marketplace_id, "includedData": "issues"},
            body=render_patch(write.quantity, terms, connection),
            urgent=self.urgent,
            patience_seconds=max(0.0, self.deadline - self.api.clock()),
        )
        return read_submission(answer)


def recall_terms(api: AmazonApi, book: TermsBook, write: QuantityWrite) -> Terms | None:
    """Without asking Amazon; None when they are not known well enough to replace the entry."""
    known = book.recall(write.external_id, api.clock())
    if known is not None:
        return known
    told = parse_reference(write.reference)
    return told if told.whole else None


async def learn_terms(api: AmazonApi, sku: str) -> Terms:
    """Raises `Fault`; MAPPING when Amazon has no such listing."""
    connection = api.connection
    item = await api.call(
        "getListingsItem",
        "GET",
        write_path("listings", "2021-08-01", "items", connection.seller_id, sku),
        params={
            "marketplaceIds": connection.marketplace_id,
            "includedData": "attributes,productTypes,fulfillmentAvailability",
        },
    )
    return read_terms(item, connection)


def refuse_foreign(terms: Terms) -> WriteResult:
    message = f"The listing is stocked under {terms.foreign}: link one that is fulfilled by the merchant."
    return WriteResult(WriteOutcome.REFUSED, message, CauseClass.MAPPING)


def read_submission(answer: dict[str, Any]) -> WriteResult:
    """HTTP 200 is not success: the submission itself may be invalid. Accepted is not applied."""
    issues = answer.get("issues") or []
    status = answer.get("status")
    if status in ("ACCEPTED", "VALID"):
        return WriteResult(WriteOutcome.ACCEPTED, write_text(issues) or None)
    if status == "INVALID":
        return refuse(issues)
    message = f"Amazon answered a patch with the unknown status {str(status)[:50]}."
    return WriteResult(WriteOutcome.TRANSIENT, message, CauseClass.UNKNOWN)
