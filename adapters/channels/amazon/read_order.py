"""An order of the Orders API 2026-01-01 as a plain order. Times are ISO 8601 in UTC."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from domain.errors import CauseClass, Fault

INCLUDED_DATA = "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,CANCELLATION"
PENDING = frozenset({"PENDING", "PENDING_AVAILABILITY"})
SHIPPED = "SHIPPED"
INSTEAD = frozenset({"REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID"})
ADDRESS_LINES = ("companyName", "addressLine1", "addressLine2", "addressLine3")


def read_order(raw: dict[str, Any]) -> ChannelOrder:
    """Raises a permanent `Fault` when it is not an order."""
    try:
        return _read(raw)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # The error's text may quote personal data: only its kind is told.
        message = f"Amazon's order cannot be read ({type(error).__name__})."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from None


def _read(raw: dict[str, Any]) -> ChannelOrder:
    fulfillment = raw.get("fulfillment") or {}
    status = fulfillment.get("fulfillmentStatus")
    recipient = (raw.get("recipient") or {}).get("deliveryAddress")
    address, total = _read_address(recipient), (raw.get("proceeds") or {}).get("grandTotal") or {}
    items = raw["orderItems"]
    return ChannelOrder(
        external_id=str(raw["orderId"]),
        name=str(raw["orderId"]),
        placed_at=_read_time(raw["createdTime"]),
        lines=tuple(_read_line(item, status) for item in items if not _is_cancelled(item)),
        country_code=address.country_code if address else None,
        address=address,
        email=(raw.get("buyer") or {}).get("buyerEmail"),
        pending=status in PENDING,
        cancelled=status == "CANCELLED",
        cancel_requested=status != "CANCELLED" and any(_is_cancel_requested(item) for item in items),
        ship_by=_read_end(fulfillment.get("shipByWindow")),
        version=round(_read_time(raw["lastUpdatedTime"]).timestamp() * 1000),
        phone=(recipient or {}).get("phone") or None,
        deliver_by=_read_end(fulfillment.get("deliverByWindow")),
        total=_read_amount(total),
        currency=total.get("currencyCode"),
        exchange_of=_read_original(raw.get("associatedOrders") or ()),
    )


def _read_original(associated: Sequence[dict[str, Any]]) -> str | None:
    """A replacement and an exchange name the order that they are sent instead of."""
    return next((str(one["orderId"]) for one in associated if one.get("associationType") in INSTEAD), None)


def _read_line(item: dict[str, Any], status: str | None) -> ChannelOrderLine:
    product, quantity = item["product"], int(item["quantityOrdered"])
    gone = (item.get("fulfillment") or {}).get("quantityFulfilled", quantity if status == SHIPPED else 0)
    price = _read_amount((product.get("price") or {}).get("unitPrice") or {})
    name, title = product.get("sellerSku") or None, product.get("title")
    return ChannelOrderLine(str(item["orderItemId"]), name, title, quantity, price, shipped=int(gone))


def _is_cancelled(item: dict[str, Any]) -> bool:
    return int(item["quantityOrdered"]) <= 0 or bool((item.get("cancellation") or {}).get("cancellationExecution"))


def _is_cancel_requested(item: dict[str, Any]) -> bool:
    return bool((item.get("cancellation") or {}).get("cancellationRequest")) and not _is_cancelled(item)


def _read_address(raw: dict[str, Any] | None) -> Address | None:
    if not raw:
        return None
    return Address(
        name=raw.get("name") or None,
        lines=tuple(str(raw[name]) for name in ADDRESS_LINES if raw.get(name)),
        city=raw.get("city") or None,
        region=raw.get("stateOrRegion") or None,
        postal_code=raw.get("postalCode") or None,
        country_code=raw.get("countryCode") or None,
    )


def _read_end(window: dict[str, Any] | None) -> datetime.datetime | None:
    latest = (window or {}).get("latestDateTime")
    return None if latest is None else _read_time(latest)


def _read_amount(money: dict[str, Any]) -> Decimal | None:
    amount = money.get("amount")
    return None if amount is None else Decimal(str(amount))


def _read_time(value: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
