"""An order of the Fulfillment API as a plain order; read one by its id, with the buyer's cancellation requests."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from adapters.channels.ebay.announce_limits import FULFILLMENT
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import ORDER_UNKNOWN, EbayFault
from adapters.channels.ebay.read_refunds import read_refunds
from adapters.channels.ebay.read_time import parse_time
from adapters.channels.ebay.request import Request
from domain.errors import CauseClass, Fault

PATH = "/sell/fulfillment/v1/order"
CENT_PARTS = Decimal("0.0001")
UNPAID = frozenset({"PENDING", "FAILED"})
REFUNDED = "FULLY_REFUNDED"
SHIPPED = "FULFILLED"


async def read_order(client: EbayClient, external_id: str) -> ChannelOrder | None:
    """None when eBay has no such order. Raises `Fault`."""
    try:
        reply = await client.call(Request("GET", f"{PATH}/{quote(external_id, safe='')}", FULFILLMENT))
    except EbayFault as fault:
        if fault.status == 404 or ORDER_UNKNOWN in fault.error_ids:
            return None
        raise
    return parse_order(reply.body)


def parse_order(raw: Any) -> ChannelOrder:
    """Raises a permanent `Fault` when it is not an order."""
    try:
        return _parse_order(raw)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        message = f"An order of eBay's cannot be read ({type(error).__name__})."
        raise Fault(message, transient=False, cause=CauseClass.UNKNOWN) from None


def _parse_order(raw: dict[str, Any]) -> ChannelOrder:
    ship_to = _find_ship_to(raw)
    address = _parse_address(ship_to)
    cancel, total = raw.get("cancelStatus") or {}, (raw.get("pricingSummary") or {}).get("total") or {}
    return ChannelOrder(
        external_id=str(raw["orderId"]),
        name=str(raw["orderId"]),
        placed_at=parse_time(raw["creationDate"]),
        lines=tuple(_parse_line(line) for line in raw["lineItems"]),
        country_code=address.country_code,
        address=address,
        email=ship_to.get("email") or _find_buyer(raw).get("email"),
        pending=raw.get("orderPaymentStatus") in UNPAID,
        refunded=raw.get("orderPaymentStatus") == REFUNDED,
        cancelled=cancel.get("cancelState") == "CANCELED",
        cancel_requested=_is_cancel_requested(cancel),
        ship_by=_find_first(raw["lineItems"], "shipByDate"),
        version=int(parse_time(raw["lastModifiedDate"]).timestamp() * 1000),
        phone=(ship_to.get("primaryPhone") or {}).get("phoneNumber"),
        deliver_by=_find_first(raw["lineItems"], "maxEstimatedDeliveryDate"),
        total=_parse_amount(total),
        currency=total.get("currency"),
        refunds=read_refunds(raw),
    )


def _parse_line(raw: dict[str, Any]) -> ChannelOrderLine:
    """A line may have no SKU: the seller listed it without. Its cost is that of all its units.

    Of a line that left in part eBay does not say how many units did.
    """
    quantity, cost = int(raw["quantity"]), _parse_amount(raw.get("lineItemCost") or {})
    price = None if cost is None or quantity <= 0 else (cost / quantity).quantize(CENT_PARTS)
    gone = quantity if raw.get("lineItemFulfillmentStatus") == SHIPPED else 0
    name, sku = str(raw["lineItemId"]), raw.get("sku") or None
    return ChannelOrderLine(name, sku, raw.get("title"), quantity, price, shipped=gone)


def _parse_amount(raw: dict[str, Any]) -> Decimal | None:
    return Decimal(raw["value"]) if raw.get("value") else None


def _find_ship_to(raw: dict[str, Any]) -> dict[str, Any]:
    """Where the parcel goes; with eBay's own international shipping that is eBay's hub."""
    steps = [start.get("shippingStep") or {} for start in raw.get("fulfillmentStartInstructions") or []]
    return next((step["shipTo"] for step in steps if step.get("shipTo")), {})


def _find_buyer(raw: dict[str, Any]) -> dict[str, Any]:
    return (raw.get("buyer") or {}).get("buyerRegistrationAddress") or {}


def _parse_address(contact: dict[str, Any]) -> Address:
    """Of an old order eBay leaves out the name and the street."""
    raw = contact.get("contactAddress") or {}
    lines = (raw.get("addressLine1"), raw.get("addressLine2"))
    return Address(
        name=contact.get("fullName"),
        lines=tuple(line for line in lines if line),
        city=raw.get("city"),
        region=raw.get("stateOrProvince"),
        postal_code=raw.get("postalCode"),
        country_code=raw.get("countryCode"),
    )


def _is_cancel_requested(cancel: dict[str, Any]) -> bool:
    asked = any(request.get("cancelRequestState") == "REQUESTED" for request in cancel.get("cancelRequests") or [])
    return asked or cancel.get("cancelState") == "IN_PROGRESS"


def _find_first(lines: list[dict[str, Any]], name: str) -> datetime | None:
    """Of the first line that is due."""
    dates = [(line.get("lineItemFulfillmentInstructions") or {}).get(name) for line in lines]
    return min((parse_time(date) for date in dates if date), default=None)
