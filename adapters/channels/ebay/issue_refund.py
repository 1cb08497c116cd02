"""Have eBay pay a refund, once. It says nothing about stock, and eBay counts nothing back by it.

eBay knows no key and takes the same refund twice, so what the order shows is read first, and after a reply that got
lost. A refund is processed later: it is accepted here, and the order says when it is through.
"""

from __future__ import annotations

import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from urllib.parse import quote

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.channel_refund import ChannelRefund
from adapters.channels.ebay.announce_limits import FULFILLMENT
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import ORDER_UNKNOWN, EbayFault
from adapters.channels.ebay.read_order import PATH
from adapters.channels.ebay.read_refunds import read_refunds
from adapters.channels.ebay.request import Request, as_object
from adapters.channels.returns import Refund
from domain.errors import CauseClass, Fault

REASON = "BUYER_RETURN"
COMMENT_LENGTH_MAX = 100
CENT = Decimal("0.01")
PROCESSING = frozenset({34922, 34929})
"""A refund before this one, or the buyer's payment, is not through: later it can be."""
PROCESSING_SECONDS = 60.0
CLOCK_SECONDS = 60.0
"""Between eBay's clock and ours."""


async def issue_refund(client: EbayClient, refund: Refund) -> WriteResult:
    """Safe to call again at any time. Raises `Fault`."""
    path = f"{PATH}/{quote(refund.order_external_id, safe='')}"
    order = await _read_order(client, path)
    if order is None:
        return WriteResult(WriteOutcome.REFUSED, "eBay does not know the order.", CauseClass.MAPPING)
    known = find_refund(order, refund)
    if known is not None:
        return known
    try:
        reply = await client.call(
            Request("POST", f"{path}/issue_refund", FULFILLMENT, body=write_refund(order, refund))
        )
    except EbayFault as fault:
        if fault.error_ids & PROCESSING:
            return WriteResult(WriteOutcome.TRANSIENT, str(fault), fault.cause, wait_seconds=PROCESSING_SECONDS)
        if fault.transient:
            return await _resolve_lost_reply(client, path, refund, fault)
        raise
    except Fault as fault:
        if fault.cause is CauseClass.QUOTA or not fault.transient:
            raise
        return await _resolve_lost_reply(client, path, refund, fault)
    answer = as_object(reply.body)
    if answer.get("refundStatus") == "FAILED":
        return WriteResult(WriteOutcome.REFUSED, "eBay could not pay the refund.", CauseClass.POLICY)
    return WriteResult(WriteOutcome.ACCEPTED, receipt=str(answer.get("refundId") or "") or None)


async def _resolve_lost_reply(client: EbayClient, path: str, refund: Refund, lost: Fault) -> WriteResult:
    order = await _read_order(client, path)
    known = None if order is None else find_refund(order, refund)
    if known is None:
        raise lost
    return known


async def _read_order(client: EbayClient, path: str) -> dict[str, Any] | None:
    try:
        reply = await client.call(Request("GET", path, FULFILLMENT))
    except EbayFault as fault:
        if fault.status == 404 or ORDER_UNKNOWN in fault.error_ids:
            return None
        raise
    return as_object(reply.body)


def find_refund(order: dict[str, Any], refund: Refund) -> WriteResult | None:
    """What the order shows of it: as much, not before we tried, and of no other return."""
    since = refund.since - datetime.timedelta(seconds=CLOCK_SECONDS)
    for found in _read(order):
        same = (found.amount, found.currency) == (refund.amount, refund.currency) and found.id not in refund.others
        if same and not found.failed and (found.at is None or found.at >= since):
            return WriteResult(WriteOutcome.OK if found.paid else WriteOutcome.ACCEPTED, receipt=found.id)
    return None


def _read(order: dict[str, Any]) -> tuple[ChannelRefund, ...]:
    try:
        return read_refunds(order)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        message = f"The refunds of an order of eBay's cannot be read ({type(error).__name__})."
        raise Fault(message, transient=False, cause=CauseClass.UNKNOWN) from None


def write_refund(order: dict[str, Any], refund: Refund) -> dict[str, Any]:
    """Of the whole order when it has one line, or the refund is about none; else of the lines that came back."""
    body: dict[str, Any] = {"reasonForRefund": REASON, "comment": refund.label[:COMMENT_LENGTH_MAX]}
    lines = {str(line.get("lineItemId")): line for line in order.get("lineItems") or [] if isinstance(line, dict)}
    worth = {line: _price(lines[line]) * units for line, units in refund.lines if line in lines and units > 0}
    if len(lines) < 2 or not worth:
        return {**body, "orderLevelRefundAmount": _money(refund.amount, refund.currency)}
    shares = split_amount(refund.amount, worth)
    return {
        **body,
        "refundItems": [
            {"lineItemId": line, "refundAmount": _money(amount, refund.currency)}
            for line, amount in shares.items()
            if amount > 0
        ],
    }


def split_amount(amount: Decimal, worth: dict[str, Decimal]) -> dict[str, Decimal]:
    """To the cent, by what the units of each line cost; the last line has what rounding leaves."""
    whole = sum(worth.values(), Decimal(0))
    shares, left = {}, amount
    for place, (line, part) in enumerate(worth.items()):
        last = place == len(worth) - 1
        even = amount / len(worth) if whole <= 0 else amount * part / whole
        shares[line] = left if last else even.quantize(CENT, ROUND_DOWN)
        left -= shares[line]
    return shares


def _price(line: dict[str, Any]) -> Decimal:
    """Of one unit."""
    cost = (line.get("discountedLineItemCost") or line.get("lineItemCost") or {}).get("value") or "0"
    return Decimal(cost) / max(1, int(line.get("quantity") or 1))


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"value": f"{amount:.2f}", "currency": currency}
