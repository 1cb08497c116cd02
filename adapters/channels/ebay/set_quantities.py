"""Set absolute quantities, 25 in a request, on the offer and on the inventory item; each answered by itself.

eBay compares nothing (`QuantityWrite.expected` has no use here) and setting twice does no harm, so a lost reply is
simply sent again. The order of refusals: a zero that would end the listing, the day's calls, the listing's revisions,
then what eBay says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.channels.base import QuantityWrite, Throttled, WriteOutcome, WriteResult
from adapters.channels.ebay.announce_limits import INVENTORY
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import EbayFault, read_errors, result_of
from adapters.channels.ebay.request import Request, as_object
from adapters.channels.ebay.spend_revisions import RevisionBudget
from domain.errors import CauseClass, Fault

WRITES_MAX = 25
PATH = "/sell/inventory/v1/bulk_update_price_quantity"
OK = WriteResult(WriteOutcome.OK)
LEFT_OUT = WriteResult(WriteOutcome.TRANSIENT, "eBay's answer left this item out.", CauseClass.OUTAGE)
# Of this number, not of the listing: another quantity may be sent.
ZERO_REFUSED = WriteResult(
    WriteOutcome.REFUSED,
    "A quantity of 0 would end the listing: switch the seller's out-of-stock control on, then say so in the channel's"
    " settings (out_of_stock_control).",
    CauseClass.VALIDATION,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Of `QuantityWrite.reference`: "offer id/listing id", or the offer id alone."""

    offer_id: str | None
    listing_id: str


def read_reference(external_id: str, reference: str | None) -> Reference:
    """Without a listing id the revisions are counted by the offer, without an offer by the SKU."""
    offer_id, _, listing_id = (reference or "").partition("/")
    return Reference(offer_id or None, listing_id or offer_id or external_id)


@dataclass(frozen=True, slots=True)
class QuantitySetter:
    client: EbayClient
    budget: RevisionBudget
    out_of_stock_control: bool

    async def set(self, writes: Sequence[QuantityWrite], *, urgent: bool) -> list[WriteResult]:
        """A result for each write, in order. Raises `Fault` only when nothing at all was sent before it."""
        results: list[WriteResult] = []
        for start in range(0, len(writes), WRITES_MAX):
            chunk = writes[start : start + WRITES_MAX]
            try:
                results += await self._set_chunk(chunk, urgent=urgent)
            except Fault as fault:
                if not results:
                    raise
                results += [_result_of_fault(fault)] * len(chunk)
        return results

    async def _set_chunk(self, writes: Sequence[QuantityWrite], *, urgent: bool) -> list[WriteResult]:
        done = {place: known for place, write in enumerate(writes) if (known := self._decide(write, urgent=urgent))}
        left = [place for place in range(len(writes)) if place not in done]
        if left:
            # The day's calls first: a revision spent on a call that cannot be made is lost until tomorrow.
            await self.client.pay(INVENTORY, urgent=urgent)
            for place in left:
                spent = await self._spend_revision(writes[place], urgent=urgent)
                done |= {place: spent} if spent else {}
        left = [place for place in left if place not in done]
        if left:
            sent = await self._send_left([writes[place] for place in left], urgent=urgent, alone=not done)
            done |= dict(zip(left, sent, strict=True))
        return [done[place] for place in range(len(writes))]

    def _decide(self, write: QuantityWrite, *, urgent: bool) -> WriteResult | None:
        """What is known without asking anybody."""
        if write.quantity == 0 and not self.out_of_stock_control:
            return ZERO_REFUSED
        listing_id = read_reference(write.external_id, write.reference).listing_id
        wait_seconds = self.budget.wait(listing_id, urgent=urgent or write.quantity == 0)
        return None if wait_seconds is None else _spent(wait_seconds)

    async def _spend_revision(self, write: QuantityWrite, *, urgent: bool) -> WriteResult | None:
        listing_id = read_reference(write.external_id, write.reference).listing_id
        wait_seconds = await self.budget.take(listing_id, urgent=urgent or write.quantity == 0)
        return None if wait_seconds is None else _spent(wait_seconds)

    async def _send_left(self, writes: Sequence[QuantityWrite], *, urgent: bool, alone: bool) -> list[WriteResult]:
        """`alone`: there is no other result yet that a `Fault` would lose."""
        try:
            return await self._send(writes, urgent=urgent, paid=True)
        except Fault as fault:
            if alone:
                raise
            return [_result_of_fault(fault)] * len(writes)

    async def _send(self, writes: Sequence[QuantityWrite], *, urgent: bool, paid: bool) -> list[WriteResult]:
        """When eBay refuses the whole request, its halves are sent: one bad item must not condemn its neighbours."""
        request = Request("POST", PATH, INVENTORY, body={"requests": _write_requests(writes)}, urgent=urgent)
        try:
            reply = await self.client.call(request, paid=paid)
        except EbayFault as fault:
            if fault.transient or fault.status != 400 or len(writes) == 1:
                raise
            middle = len(writes) // 2
            halves = (writes[:middle], writes[middle:])
            return [result for half in halves for result in await self._send_half(half, urgent=urgent)]
        responses = as_object(reply.body).get("responses") or []
        entries = [entry for entry in responses if isinstance(entry, dict)]
        return [await self._read_result(write, entries) for write in writes]

    async def _send_half(self, writes: Sequence[QuantityWrite], *, urgent: bool) -> list[WriteResult]:
        try:
            return await self._send(writes, urgent=urgent, paid=False)
        except Fault as fault:
            return [_result_of_fault(fault)] * len(writes)

    async def _read_result(self, write: QuantityWrite, entries: Sequence[Mapping[str, Any]]) -> WriteResult:
        """By SKU and offer, never by place. Every entry about the write must be good."""
        reference = read_reference(write.external_id, write.reference)
        own = [entry for entry in entries if entry.get("sku") == write.external_id]
        own = [entry for entry in own if entry.get("offerId") in {None, reference.offer_id}]
        if not any(entry.get("offerId") == reference.offer_id for entry in own):
            return LEFT_OUT
        for entry in own:
            status, errors = entry.get("statusCode"), read_errors(entry)
            if not isinstance(status, int):
                return LEFT_OUT
            if any(error.is_revision_limit for error in errors):
                return _spent(await self.budget.exhaust(reference.listing_id))
            if errors or not 200 <= status < 300:
                return result_of(status, errors)
        return OK


def _write_requests(writes: Sequence[QuantityWrite]) -> list[dict[str, Any]]:
    """One entry for each SKU: the item holds as much as the largest of its offers."""
    totals: dict[str, int] = {}
    offers: dict[str, dict[str, int]] = {}
    for write in writes:
        sku, offer_id = write.external_id, read_reference(write.external_id, write.reference).offer_id
        totals[sku] = max(write.quantity, totals.get(sku, 0))
        if offer_id is not None:
            offers.setdefault(sku, {})[offer_id] = write.quantity
    return [_write_request(sku, total, offers.get(sku, {})) for sku, total in totals.items()]


def _write_request(sku: str, total: int, offers: Mapping[str, int]) -> dict[str, Any]:
    request: dict[str, Any] = {"sku": sku, "shipToLocationAvailability": {"quantity": total}}
    if offers:
        request["offers"] = [{"offerId": offer_id, "availableQuantity": count} for offer_id, count in offers.items()]
    return request


def _spent(wait_seconds: float) -> WriteResult:
    message = "The listing's revisions of the day are used up."
    return WriteResult(WriteOutcome.TRANSIENT, message, CauseClass.QUOTA, wait_seconds=wait_seconds)


def _result_of_fault(fault: Fault) -> WriteResult:
    """A token that was rejected says nothing against the item."""
    passing = fault.transient or fault.cause is CauseClass.AUTH
    outcome = WriteOutcome.TRANSIENT if passing else WriteOutcome.REFUSED
    wait_seconds = fault.wait_seconds if isinstance(fault, Throttled) else None
    return WriteResult(outcome, str(fault), fault.cause, wait_seconds=wait_seconds)
