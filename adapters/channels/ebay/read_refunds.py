"""What eBay shows of an order's refunds. Those of lines are listed with the lines, and again, nameless, of the order.

A refund of lines has no state of its own: it is through when it has a date.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from adapters.channels.channel_refund import ChannelRefund
from adapters.channels.ebay.read_time import parse_time


def read_refunds(raw: dict[str, Any]) -> tuple[ChannelRefund, ...]:
    """Of a getOrder or getOrders record. Raises KeyError, TypeError, ValueError, ArithmeticError."""
    found: dict[str, ChannelRefund] = {}
    for entry in (raw.get("paymentSummary") or {}).get("refunds") or []:
        if entry.get("refundId"):
            found[str(entry["refundId"])] = _read(entry, entry.get("refundStatus"))
    for line in raw["lineItems"]:
        for entry in line.get("refunds") or []:
            refund_id = str(entry.get("refundId") or "")
            if not refund_id or not entry.get("amount"):
                continue
            one = _read(entry, "REFUNDED" if entry.get("refundDate") else "PENDING")
            known = found.get(refund_id)
            found[refund_id] = one if known is None else _add(known, one)
    return tuple(found.values())


def _read(entry: dict[str, Any], status: str | None) -> ChannelRefund:
    at = entry.get("refundDate")
    money = entry["amount"]
    return ChannelRefund(
        str(entry["refundId"]),
        Decimal(money["value"]),
        str(money["currency"]),
        paid=status == "REFUNDED",
        failed=status == "FAILED",
        at=parse_time(at) if at else None,
    )


def _add(one: ChannelRefund, other: ChannelRefund) -> ChannelRefund:
    """Of several lines."""
    return replace(one, amount=one.amount + other.amount, paid=one.paid and other.paid, at=one.at or other.at)
